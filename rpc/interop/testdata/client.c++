// Runs scenarios against a Lab. Usage: client ADDRESS SCENARIO... Each runs on
// a connection of its own. It prints "ok NAME" or "FAIL NAME: why" for each.
#include <capnp/rpc-twoparty.h>
#include <stdio.h>
#include <string.h>

#include "lab.h"

#define CHECK(cond, ...) KJ_REQUIRE(cond, ##__VA_ARGS__)

struct Bench {
  kj::AsyncIoContext& io;
  kj::WaitScope& ws;
  Lab::Client lab;
  capnp::TwoPartyClient& connection;
  Counts counts;

  // until asks again and again, for what happens soon.
  template <typename F>
  void until(const char* what, F&& ready) {
    for (int i = 0; i < 5000; i++) {
      if (ready()) return;
      io.provider->getTimer().afterDelay(2 * kj::MILLISECONDS).wait(ws);
    }
    KJ_FAIL_REQUIRE("never", what);
  }
  uint live() { return lab.liveRequest().send().wait(ws).getSequences(); }
  Lab::HangingResults::Reader hanging() {
    last = kj::heap(lab.hangingRequest().send().wait(ws));
    return *last;
  }
  kj::Own<capnp::Response<Lab::HangingResults>> last;
  void sound() {
    auto request = lab.addRequest();
    request.setA(20);
    request.setB(22);
    CHECK(request.send().wait(ws).getSum() == 42);
  }
};

using Next = capnp::RemotePromise<Sequence::NextResults>;

template <typename Promise>
kj::Exception failure(Promise&& promise, kj::WaitScope& ws) {
  KJ_IF_MAYBE(e, kj::runCatchingExceptions([&] { promise.wait(ws); })) return kj::mv(*e);
  KJ_FAIL_REQUIRE("no exception");
}

static void calls(Bench& b) {
  b.sound();
  kj::Vector<capnp::RemotePromise<Lab::AddResults>> all;
  for (int i = 0; i < 500; i++) {
    auto request = b.lab.addRequest();
    request.setA(i);
    request.setB(1000);
    all.add(request.send());
  }
  for (int i = 0; i < 500; i++) CHECK(all[i].wait(b.ws).getSum() == i + 1000);
}

static void calculator(Bench& b) {
  auto calc = b.lab.calculatorRequest().send().getCalculator();
  auto literal = calc.evaluateRequest();
  literal.initExpression().setLiteral(123);
  auto value = literal.send().getValue();
  CHECK(value.readRequest().send().wait(b.ws).getValue() == 123);

  auto op = [&](Op op) {
    auto request = calc.operatorRequest();
    request.setOp(op);
    return request.send().getFunction();
  };
  auto add = op(Op::ADD), subtract = op(Op::SUBTRACT);
  auto nested = calc.evaluateRequest();
  {
    auto outer = nested.initExpression().initCall();
    outer.setFunction(subtract);
    auto params = outer.initParams(2);
    auto inner = params[0].initCall();
    inner.setFunction(add);
    auto innerParams = inner.initParams(2);
    innerParams[0].setLiteral(123);
    innerParams[1].setLiteral(45);
    params[1].setLiteral(67);
  }
  auto result = nested.send();
  auto previous = result.getValue();
  CHECK(previous.readRequest().send().wait(b.ws).getValue() == 101);

  auto def = calc.defFunctionRequest();
  def.setParamCount(2);
  {
    auto outer = def.initBody().initCall();
    outer.setFunction(add);
    auto params = outer.initParams(2);
    auto inner = params[0].initCall();
    inner.setFunction(add);
    auto innerParams = inner.initParams(2);
    innerParams[0].setParameter(0);
    innerParams[1].setParameter(1);
    params[1].setPrevious(previous);
  }
  auto call = def.send().getFunction().callRequest();
  call.setParams({1, 2});
  CHECK(call.send().wait(b.ws).getValue() == 104);

  auto callback = calc.evaluateRequest();
  auto c = callback.initExpression().initCall();
  c.setFunction(kj::heap<PowerImpl>());
  auto params = c.initParams(2);
  params[0].setLiteral(2);
  params[1].setLiteral(10);
  CHECK(callback.send().getValue().readRequest().send().wait(b.ws).getValue() == 1024);
}

static void pipeline(Bench& b) {
  auto gate = b.lab.gateRequest().send();
  auto lab = gate.getLab();
  auto sequence = lab.sequenceRequest().send().getSequence();
  auto again = lab.echoCapRequest();
  again.setCap(sequence);
  auto echoed = again.send().getCap();
  kj::Vector<Next> all;
  for (int i = 0; i < 50; i++) all.add((i % 10 == 9 ? sequence : sequence).nextRequest().send());
  all.add(echoed.nextRequest().send());
  b.lab.openRequest().send().wait(b.ws);
  for (uint i = 0; i < 51; i++) CHECK(all[i].wait(b.ws).getN() == i, i);
  // After the answer is there.
  gate.wait(b.ws);
  CHECK(sequence.nextRequest().send().wait(b.ws).getN() == 51);
  CHECK(gate.getLab().sequenceRequest().send().getSequence().nextRequest().send().wait(b.ws).getN() == 0);
}

static void pipelineDropped(Bench& b) {
  kj::Vector<Next> all;
  {
    auto sequence = b.lab.gateRequest().send().getLab().sequenceRequest().send().getSequence();
    for (int i = 0; i < 3; i++) all.add(sequence.nextRequest().send());
    auto unwanted = sequence.nextRequest().send();
  }
  b.lab.openRequest().send().wait(b.ws);
  for (uint i = 0; i < 3; i++) CHECK(all[i].wait(b.ws).getN() == i);
  b.until("the sequence is gone", [&] { all.clear(); return b.live() == 0; });
}

static void pipelineError(Bench& b) {
  auto request = b.lab.failRequest();
  request.setType(1);
  request.setReason("no lab");
  auto fail = request.send();
  // A pipelined call on a hanging call that is then cancelled, and on null.
  auto null = b.lab.keptRequest().send().getCap().nextRequest().send();
  failure(null, b.ws);
  CHECK(failure(fail, b.ws).getType() == kj::Exception::Type::OVERLOADED);
  b.sound();
}

static void embargoReturn(Bench& b) {
  Sequence::Client mine = kj::heap<SequenceImpl>();
  auto request = b.lab.echoCapRequest();
  request.setCap(mine);
  auto echo = request.send();
  auto pipelined = echo.getCap();
  auto call0 = pipelined.nextRequest().send();
  auto call1 = pipelined.nextRequest().send();
  auto early = b.lab.addRequest().send();
  early.wait(b.ws);  // the echo has returned by now
  auto call2 = pipelined.nextRequest().send();
  auto resolved = echo.wait(b.ws);
  auto call3 = pipelined.nextRequest().send();
  auto call4 = pipelined.nextRequest().send();
  auto call5 = pipelined.nextRequest().send();
  CHECK(call0.wait(b.ws).getN() == 0);
  CHECK(call1.wait(b.ws).getN() == 1);
  CHECK(call2.wait(b.ws).getN() == 2);
  CHECK(call3.wait(b.ws).getN() == 3);
  CHECK(call4.wait(b.ws).getN() == 4);
  CHECK(call5.wait(b.ws).getN() == 5);
}

static void embargoResolve(Bench& b) {
  Sequence::Client mine = kj::heap<SequenceImpl>();
  auto held = b.lab.holdRequest().send().wait(b.ws).getPromise();
  kj::Vector<Next> all;
  all.add(held.nextRequest().send());
  all.add(held.nextRequest().send());
  auto request = b.lab.resolveRequest();
  request.setTo(mine);
  auto resolve = request.send();
  all.add(held.nextRequest().send());
  resolve.wait(b.ws);
  all.add(held.nextRequest().send());
  held.whenResolved().wait(b.ws);
  all.add(held.nextRequest().send());
  all.add(held.nextRequest().send());
  for (uint i = 0; i < 6; i++) CHECK(all[i].wait(b.ws).getN() == i, i);
  CHECK(mine.nextRequest().send().wait(b.ws).getN() == 6);
}

static void resolveTheirs(Bench& b) {
  auto theirs = b.lab.sequenceRequest().send().wait(b.ws).getSequence();
  auto held = b.lab.holdRequest().send().wait(b.ws).getPromise();
  kj::Vector<Next> all;
  all.add(held.nextRequest().send());
  auto request = b.lab.resolveRequest();
  request.setTo(theirs);
  request.send().wait(b.ws);
  all.add(held.nextRequest().send());
  held.whenResolved().wait(b.ws);
  all.add(held.nextRequest().send());
  for (uint i = 0; i < 3; i++) CHECK(all[i].wait(b.ws).getN() == i, i);
  CHECK(theirs.nextRequest().send().wait(b.ws).getN() == 3);
}

static void embargoError(Bench& b) {
  auto held = b.lab.holdRequest().send().wait(b.ws).getPromise();
  auto call0 = held.nextRequest().send();
  auto call1 = held.nextRequest().send();
  auto request = b.lab.rejectRequest();
  request.setType(1);
  request.setReason("rejected");
  request.send().wait(b.ws);
  auto call2 = held.nextRequest().send();
  for (auto call: {&call0, &call1, &call2}) {
    auto e = failure(*call, b.ws);
    CHECK(e.getType() == kj::Exception::Type::OVERLOADED, e);
    CHECK(strstr(e.getDescription().cStr(), "rejected") != nullptr, e);
  }
  b.sound();
}

static void embargoNull(Bench& b) {
  auto held = b.lab.holdRequest().send().wait(b.ws).getPromise();
  auto call0 = held.nextRequest().send();
  b.lab.resolveRequest().send().wait(b.ws);
  auto call1 = held.nextRequest().send();
  failure(call0, b.ws);
  failure(call1, b.ws);
  b.sound();
}

static void promiseParameter(Bench& b) {
  // One that this side resolves.
  auto paf = kj::newPromiseAndFulfiller<Sequence::Client>();
  Sequence::Client promise = kj::mv(paf.promise);
  auto request = b.lab.callNextRequest();
  request.setSequence(promise);
  auto call0 = request.send();
  auto request2 = b.lab.callNextRequest();
  request2.setSequence(promise);
  auto call1 = request2.send();
  b.sound();
  paf.fulfiller->fulfill(kj::heap<SequenceImpl>());
  CHECK(call0.wait(b.ws).getN() == 0);
  CHECK(call1.wait(b.ws).getN() == 1);

  // One that is a result of the other side, not there yet.
  auto gate = b.lab.gateRequest().send();
  auto request3 = b.lab.callNextRequest();
  request3.setSequence(gate.getLab().sequenceRequest().send().getSequence());
  auto call2 = request3.send();
  b.sound();
  b.lab.openRequest().send().wait(b.ws);
  CHECK(call2.wait(b.ws).getN() == 0);

  // One that breaks.
  auto broken = kj::newPromiseAndFulfiller<Sequence::Client>();
  auto request4 = b.lab.callNextRequest();
  request4.setSequence(kj::mv(broken.promise));
  auto call3 = request4.send();
  b.sound();
  broken.fulfiller->reject(exception(1, "it broke"));
  auto e = failure(call3, b.ws);
  CHECK(e.getType() == kj::Exception::Type::OVERLOADED, e);
}

static void tail(Bench& b) {
  auto request = b.lab.tailRequest();
  request.setCallee(kj::heap<CalleeImpl>());
  request.setI(456);
  auto promise = request.send();
  auto call0 = promise.getSequence().nextRequest().send();
  auto response = promise.wait(b.ws);
  CHECK(response.getI() == 456);
  auto call1 = promise.getSequence().nextRequest().send();
  CHECK(call0.wait(b.ws).getN() == 0);
  CHECK(call1.wait(b.ws).getN() == 1);
  auto call2 = response.getSequence().nextRequest().send();
  CHECK(call2.wait(b.ws).getN() == 2);
}

static void tailCancel(Bench& b) {
  {
    auto request = b.lab.tailRequest();
    request.setCallee(kj::heap<HangingCallee>(b.counts));
    auto promise = request.send();
    b.until("the callee runs", [&] { b.sound(); return b.counts.hanging == 1; });
  }
  b.until("the callee is cancelled", [&] { b.sound(); return b.counts.hanging == 0; });
  CHECK(b.counts.cancelled == 1);
}

static void cancel(Bench& b) {
  uint before = b.hanging().getCancelled();
  {
    auto hang = b.lab.hangRequest().send();
    b.until("it hangs", [&] { return b.hanging().getNow() == 1; });
  }
  b.until("it is cancelled", [&] { auto h = b.hanging(); return h.getNow() == 0 && h.getCancelled() == before + 1; });
  for (int i = 0; i < 100; i++) auto hang = b.lab.hangRequest().send();
  b.until("all are cancelled", [&] { return b.hanging().getNow() == 0; });
  b.sound();
}

static void cancelParams(Bench& b) {
  // A call that is cancelled gives its parameters' capabilities back.
  {
    auto paf = kj::newPromiseAndFulfiller<Sequence::Client>();
    auto request = b.lab.callNextRequest();
    Sequence::Client mine = kj::heap<SequenceImpl>(&b.counts);
    request.setSequence(mine);
    auto promise = request.send();
  }
  b.until("the parameter is released", [&] { b.sound(); return b.counts.sequences == 0; });
}

static void exceptions(Bench& b) {
  for (uint16_t type = 0; type < 4; type++) {
    auto reason = kj::str("reason of type ", type);
    auto request = b.lab.failRequest();
    request.setType(type);
    request.setReason(reason);
    auto e = failure(request.send(), b.ws);
    CHECK(static_cast<uint16_t>(e.getType()) == type, e);
    CHECK(e.getDescription() == kj::str("remote exception: ", reason), e);

    auto by = b.lab.failByRequest();
    by.setLab(kj::heap<LabImpl>(b.counts));
    by.setType(type);
    by.setReason(reason);
    auto got = by.send().wait(b.ws);
    CHECK(got.getType() == type, got);
    CHECK(strstr(got.getReason().cStr(), reason.cStr()) != nullptr, got);
  }
  b.sound();
}

static void unimplemented(Bench& b) {
  CHECK(failure(b.lab.missingRequest().send(), b.ws).getType() == kj::Exception::Type::UNIMPLEMENTED);
  auto wrong = b.lab.castAs<Sequence>();
  CHECK(failure(wrong.nextRequest().send(), b.ws).getType() == kj::Exception::Type::UNIMPLEMENTED);
  b.sound();
}

static void streaming(Bench& b) {
  auto sink = b.lab.sinkRequest().send().getSink();
  kj::byte chunk[4096];
  memset(chunk, 'x', sizeof(chunk));
  for (int i = 0; i < 500; i++) {
    auto request = sink.writeRequest();
    request.setChunk(kj::arrayPtr(chunk, sizeof(chunk)));
    request.send().wait(b.ws);
  }
  auto done = sink.doneRequest().send().wait(b.ws);
  CHECK(done.getBytes() == 500 * sizeof(chunk));
  CHECK(done.getChunks() == 500);
  b.sound();
}

static void streamingError(Bench& b) {
  kj::byte chunk[4096];
  memset(chunk, 'x', sizeof(chunk));
  auto failing = b.lab.sinkRequest();
  failing.setFailAt(3);
  auto bad = failing.send().getSink();
  auto e = kj::runCatchingExceptions([&] {
    // Less than the window: it is the call behind them that learns of it.
    for (int i = 0; i < 10; i++) {
      auto request = bad.writeRequest();
      request.setChunk(kj::arrayPtr(chunk, sizeof(chunk)));
      request.send().wait(b.ws);
    }
    bad.doneRequest().send().wait(b.ws);
  });
  CHECK(KJ_REQUIRE_NONNULL(e).getType() == kj::Exception::Type::OVERLOADED);
  b.sound();
}

static void huge(Bench& b) {
  for (size_t size: {size_t(1) << 20, size_t(16) << 20}) {
    auto request = b.lab.echoRequest(capnp::MessageSize { size / 8 + 16, 0 });
    auto data = request.initData(size);
    for (size_t i = 0; i < size; i += 4096) data[i] = i >> 12;
    auto got = request.send().wait(b.ws);
    auto back = got.getData();
    CHECK(back.size() == size);
    for (size_t i = 0; i < size; i += 4096) CHECK(back[i] == (kj::byte)(i >> 12));
  }
  auto request = b.lab.echoRequest();
  request.initData(80 << 20);
  failure(request.send(), b.ws);
  b.sound();
}

static void release(Bench& b) {
  CHECK(b.live() == 0);
  {
    kj::Vector<Sequence::Client> all;
    for (int i = 0; i < 100; i++) all.add(b.lab.sequenceRequest().send().getSequence());
    for (auto& s: all) s.nextRequest().send().wait(b.ws);
    CHECK(b.live() == 100);
    // Kept by the server as well, and given back twice.
    auto request = b.lab.keepRequest();
    request.setCap(all[0]);
    request.send().wait(b.ws);
    auto one = b.lab.keptRequest().send().wait(b.ws).getCap();
    auto two = b.lab.keptRequest().send().wait(b.ws).getCap();
    CHECK(one.nextRequest().send().wait(b.ws).getN() == 1);
    CHECK(two.nextRequest().send().wait(b.ws).getN() == 2);
  }
  b.until("all but the one that is kept are gone", [&] { return b.live() == 1; });
  b.lab.dropRequest().send().wait(b.ws);
  b.until("all are gone", [&] { return b.live() == 0; });

  // One of ours.
  {
    Sequence::Client mine = kj::heap<SequenceImpl>(&b.counts);
    auto request = b.lab.keepRequest();
    request.setCap(mine);
    request.send().wait(b.ws);
    auto back = b.lab.keptRequest().send().wait(b.ws).getCap();
    CHECK(back.nextRequest().send().wait(b.ws).getN() == 0);
    CHECK(mine.nextRequest().send().wait(b.ws).getN() == 1);
    auto twice = b.lab.twiceRequest();
    twice.setOne(mine);
    twice.setTwo(mine);
    CHECK(twice.send().wait(b.ws).getN() == 3);
  }
  CHECK(b.counts.sequences == 1);
  b.lab.dropRequest().send().wait(b.ws);
  b.until("ours is gone", [&] { b.sound(); return b.counts.sequences == 0; });
}

// under starts one of everything, and gives what has to fail.
static kj::Vector<kj::Promise<void>> under(Bench& b) {
  kj::Vector<kj::Promise<void>> all;
  all.add(b.lab.hangRequest().send().ignoreResult());
  auto gate = b.lab.gateRequest().send();
  all.add(gate.getLab().addRequest().send().ignoreResult());
  all.add(gate.getLab().sequenceRequest().send().getSequence().nextRequest().send().ignoreResult());
  all.add(gate.ignoreResult());
  auto held = b.lab.holdRequest().send().wait(b.ws).getPromise();
  all.add(held.nextRequest().send().ignoreResult());
  auto paf = kj::newPromiseAndFulfiller<Sequence::Client>();
  auto request = b.lab.callNextRequest();
  request.setSequence(kj::mv(paf.promise));
  all.add(request.send().ignoreResult().attach(kj::mv(paf.fulfiller)));
  // A tail call to this side is left out: the reference waits for it on.
  auto callback = b.lab.callNextRequest();
  callback.setSequence(kj::heap<HangingSequence>(b.counts));
  all.add(callback.send().ignoreResult());
  auto sink = b.lab.sinkRequest().send().getSink();
  kj::byte chunk[4096];
  for (int i = 0; i < 8; i++) {
    auto write = sink.writeRequest();
    write.setChunk(kj::arrayPtr(chunk, sizeof(chunk)));
    write.send().wait(b.ws);
  }
  b.until("the callbacks run", [&] { b.sound(); return b.counts.hanging == 1; });
  return all;
}

static void disconnect(Bench& b) {
  auto all = under(b);
  all.add(b.lab.dieRequest().send().ignoreResult());
  for (auto& p: all) {
    auto e = failure(p, b.ws);
    CHECK(e.getType() == kj::Exception::Type::DISCONNECTED, e);
  }
  auto e = failure(b.lab.addRequest().send(), b.ws);
  CHECK(e.getType() == kj::Exception::Type::DISCONNECTED, e);
  b.until("our own were cancelled", [&] { return b.counts.hanging == 0; });
}

static void vanish(Bench& b) {
  auto all = under(b);
  auto s = b.lab.sequenceRequest().send().getSequence();
  s.nextRequest().send().wait(b.ws);
  printf("ok vanish\n");
  fflush(stdout);
  _exit(0);
}

static const struct { const char* name; void (*run)(Bench&); } scenarios[] = {
  {"calls", calls},
  {"calculator", calculator},
  {"pipeline", pipeline},
  {"pipelineDropped", pipelineDropped},
  {"pipelineError", pipelineError},
  {"embargoReturn", embargoReturn},
  {"embargoResolve", embargoResolve},
  {"embargoError", embargoError},
  {"embargoNull", embargoNull},
  {"resolveTheirs", resolveTheirs},
  {"promiseParameter", promiseParameter},
  {"tail", tail},
  {"tailCancel", tailCancel},
  {"cancel", cancel},
  {"cancelParams", cancelParams},
  {"exceptions", exceptions},
  {"unimplemented", unimplemented},
  {"streaming", streaming},
  {"streamingError", streamingError},
  {"huge", huge},
  {"release", release},
  {"disconnect", disconnect},
  {"vanish", vanish},
};

int main(int argc, char** argv) {
  bool failed = false;
  for (int i = 2; i < argc; i++) {
    bool known = false;
    for (auto& s: scenarios) {
      if (strcmp(s.name, argv[i]) != 0) continue;
      known = true;
      KJ_IF_MAYBE(e, kj::runCatchingExceptions([&] {
        auto io = kj::setupAsyncIo();
        auto address = io.provider->getNetwork().parseAddress(argv[1]).wait(io.waitScope);
        auto stream = address->connect().wait(io.waitScope);
        capnp::TwoPartyClient client(*stream);
        Bench b { io, io.waitScope, client.bootstrap().castAs<Lab>(), client, {} };
        s.run(b);
      })) {
        printf("FAIL %s: %s\n", s.name, kj::str(*e).cStr());
        failed = true;
      } else {
        printf("ok %s\n", s.name);
      }
      fflush(stdout);
    }
    if (!known) printf("FAIL %s: there is no such scenario\n", argv[i]), failed = true;
  }
  return failed;
}
