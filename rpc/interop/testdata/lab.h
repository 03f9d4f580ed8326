// The objects of interop.capnp, which the server serves and the client passes.
#pragma once

#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/debug.h>
#include <map>
#include <math.h>
#include <unistd.h>

#include "interop.capnp.h"

using kj::uint;

inline kj::Exception exception(uint16_t type, kj::StringPtr reason) {
  return kj::Exception(static_cast<kj::Exception::Type>(type), __FILE__, __LINE__, kj::heapString(reason));
}

class LabImpl;

struct Counts {
  uint hanging = 0;
  uint cancelled = 0;
  uint sequences = 0;
  std::map<uint, LabImpl*> labs; // those with a number that somebody holds
};

class SequenceImpl final: public Sequence::Server {
public:
  explicit SequenceImpl(Counts* counts = nullptr, uint first = 0): counts(counts), n(first) { if (counts != nullptr) ++counts->sequences; }
  ~SequenceImpl() noexcept(false) { if (counts != nullptr) --counts->sequences; }

  kj::Promise<void> next(NextContext context) override {
    context.getResults().setN(n++);
    return kj::READY_NOW;
  }

private:
  Counts* counts;
  uint n;
};

class CalleeImpl final: public Callee::Server {
public:
  kj::Promise<void> foo(FooContext context) override {
    context.getResults().setI(context.getParams().getI());
    context.getResults().setSequence(kj::heap<SequenceImpl>());
    return kj::READY_NOW;
  }
};

class HangingCallee final: public Callee::Server {
public:
  explicit HangingCallee(Counts& counts): counts(counts) {}

  kj::Promise<void> foo(FooContext context) override {
    context.allowCancellation();
    ++counts.hanging;
    return kj::Promise<void>(kj::NEVER_DONE).attach(kj::defer([this] { --counts.hanging; ++counts.cancelled; }));
  }

private:
  Counts& counts;
};

class HangingSequence final: public Sequence::Server {
public:
  explicit HangingSequence(Counts& counts): counts(counts) {}

  kj::Promise<void> next(NextContext context) override {
    context.allowCancellation();
    ++counts.hanging;
    return kj::Promise<void>(kj::NEVER_DONE).attach(kj::defer([this] { --counts.hanging; ++counts.cancelled; }));
  }

private:
  Counts& counts;
};

class SinkImpl final: public Sink::Server {
public:
  explicit SinkImpl(uint failAt): failAt(failAt) {}

  kj::Promise<void> write(WriteContext context) override {
    bytes += context.getParams().getChunk().size();
    if (++chunks == failAt) return exception(1, "the sink is full");
    return kj::READY_NOW;
  }

  kj::Promise<void> done(DoneContext context) override {
    context.getResults().setBytes(bytes);
    context.getResults().setChunks(chunks);
    return kj::READY_NOW;
  }

private:
  uint failAt;
  uint64_t bytes = 0;
  uint chunks = 0;
};

// The calculator.

class ValueImpl final: public Value::Server {
public:
  explicit ValueImpl(double value): value(value) {}
  kj::Promise<void> read(ReadContext context) override {
    context.getResults().setValue(value);
    return kj::READY_NOW;
  }

private:
  double value;
};

inline kj::Promise<double> evaluate(Expression::Reader e, kj::ArrayPtr<const double> params) {
  switch (e.which()) {
    case Expression::LITERAL: return e.getLiteral();
    case Expression::PREVIOUS:
      return e.getPrevious().readRequest().send().then([](auto r) { return r.getValue(); });
    case Expression::PARAMETER:
      KJ_REQUIRE(e.getParameter() < params.size(), "no such parameter");
      return params[e.getParameter()];
    case Expression::CALL: {
      auto call = e.getCall();
      auto function = call.getFunction();
      auto values = KJ_MAP(p, call.getParams()) { return evaluate(p, params); };
      return kj::joinPromises(kj::mv(values)).then([function](kj::Array<double>&& values) mutable {
        auto request = function.callRequest();
        request.setParams(kj::arrayPtr(static_cast<const double*>(values.begin()), values.size()));
        return request.send().then([](auto r) { return r.getValue(); });
      });
    }
  }
  return exception(3, "an expression of a kind that is not known");
}

class DefinedFunction final: public Function::Server {
public:
  DefinedFunction(uint params, Expression::Reader b): params(params) { body.setRoot(b); }
  kj::Promise<void> call(CallContext context) override {
    auto p = context.getParams().getParams();
    KJ_REQUIRE(p.size() == params, "wrong number of parameters");
    auto values = kj::heapArray<double>(p.begin(), p.end());
    auto value = evaluate(body.getRoot<Expression>().asReader(), values);
    return value.then([context](double v) mutable { context.getResults().setValue(v); }).attach(kj::mv(values));
  }

private:
  uint params;
  capnp::MallocMessageBuilder body;
};

class OperatorImpl final: public Function::Server {
public:
  explicit OperatorImpl(Op op): op(op) {}
  kj::Promise<void> call(CallContext context) override {
    auto p = context.getParams().getParams();
    KJ_REQUIRE(p.size() == 2, "wrong number of parameters");
    double v = 0;
    switch (op) {
      case Op::ADD: v = p[0] + p[1]; break;
      case Op::SUBTRACT: v = p[0] - p[1]; break;
      case Op::MULTIPLY: v = p[0] * p[1]; break;
      case Op::DIVIDE: v = p[0] / p[1]; break;
    }
    context.getResults().setValue(v);
    return kj::READY_NOW;
  }

private:
  Op op;
};

class PowerImpl final: public Function::Server {
public:
  kj::Promise<void> call(CallContext context) override {
    auto p = context.getParams().getParams();
    KJ_REQUIRE(p.size() == 2, "wrong number of parameters");
    context.getResults().setValue(pow(p[0], p[1]));
    return kj::READY_NOW;
  }
};

class CalculatorImpl final: public Calculator::Server {
public:
  kj::Promise<void> evaluate(EvaluateContext context) override {
    return ::evaluate(context.getParams().getExpression(), nullptr).then([context](double v) mutable {
      context.getResults().setValue(kj::heap<ValueImpl>(v));
    });
  }
  kj::Promise<void> defFunction(DefFunctionContext context) override {
    auto p = context.getParams();
    context.getResults().setFunction(kj::heap<DefinedFunction>(p.getParamCount(), p.getBody()));
    return kj::READY_NOW;
  }
  kj::Promise<void> operator_(OperatorContext context) override {
    context.getResults().setFunction(kj::heap<OperatorImpl>(context.getParams().getOp()));
    return kj::READY_NOW;
  }
};

// The lab.

class LabImpl final: public Lab::Server {
public:
  explicit LabImpl(Counts& counts): counts(counts) { shut(); }
  LabImpl(Counts& counts, uint number): counts(counts), number(number) {
    shut();
    counts.labs[number] = this;
  }
  ~LabImpl() noexcept(false) {
    KJ_IF_MAYBE(n, number) counts.labs.erase(*n);
  }

  kj::Promise<void> add(AddContext context) override {
    context.getResults().setSum(context.getParams().getA() + context.getParams().getB());
    return kj::READY_NOW;
  }

  kj::Promise<void> echo(EchoContext context) override {
    auto data = context.getParams().getData();
    context.getResults(capnp::MessageSize { data.size() / sizeof(capnp::word) + 8, 0 }).setData(data);
    return kj::READY_NOW;
  }

  kj::Promise<void> fail(FailContext context) override {
    return exception(context.getParams().getType(), context.getParams().getReason());
  }

  kj::Promise<void> failBy(FailByContext context) override {
    auto p = context.getParams();
    auto request = p.getLab().failRequest();
    request.setType(p.getType());
    request.setReason(p.getReason());
    return request.send().then([](auto) {}, [context](kj::Exception&& e) mutable {
      context.getResults().setType(static_cast<uint16_t>(e.getType()));
      context.getResults().setReason(e.getDescription());
    });
  }

  kj::Promise<void> hang(HangContext context) override {
    context.allowCancellation();
    ++counts.hanging;
    return kj::Promise<void>(kj::NEVER_DONE).attach(kj::defer([&counts = counts] { --counts.hanging; ++counts.cancelled; }));
  }

  kj::Promise<void> hanging(HangingContext context) override {
    context.getResults().setNow(counts.hanging);
    context.getResults().setCancelled(counts.cancelled);
    return kj::READY_NOW;
  }

  kj::Promise<void> gate(GateContext context) override {
    return gatePromise.addBranch().then([this, context]() mutable { context.getResults().setLab(thisCap()); });
  }

  kj::Promise<void> open(OpenContext context) override {
    gateFulfiller->fulfill();
    shut();
    return kj::READY_NOW;
  }

  kj::Promise<void> sequence(SequenceContext context) override {
    context.getResults().setSequence(kj::heap<SequenceImpl>(&counts, context.getParams().getFirst()));
    return kj::READY_NOW;
  }

  kj::Promise<void> live(LiveContext context) override {
    context.getResults().setSequences(counts.sequences);
    return kj::READY_NOW;
  }

  kj::Promise<void> echoCap(EchoCapContext context) override {
    context.getResults().setCap(context.getParams().getCap());
    return kj::READY_NOW;
  }

  kj::Promise<void> hold(HoldContext context) override {
    auto paf = kj::newPromiseAndFulfiller<Sequence::Client>();
    held = kj::mv(paf.fulfiller);
    context.getResults().setPromise(kj::mv(paf.promise));
    return kj::READY_NOW;
  }

  kj::Promise<void> resolve(ResolveContext context) override {
    KJ_REQUIRE_NONNULL(held)->fulfill(context.getParams().getTo());
    held = nullptr;
    return kj::READY_NOW;
  }

  kj::Promise<void> reject(RejectContext context) override {
    auto p = context.getParams();
    KJ_REQUIRE_NONNULL(held)->reject(exception(p.getType(), p.getReason()));
    held = nullptr;
    return kj::READY_NOW;
  }

  kj::Promise<void> callNext(CallNextContext context) override {
    return context.getParams().getSequence().nextRequest().send().then([context](auto r) mutable {
      context.getResults().setN(r.getN());
    });
  }

  kj::Promise<void> keep(KeepContext context) override {
    keptCap = context.getParams().getCap();
    return kj::READY_NOW;
  }

  kj::Promise<void> kept(KeptContext context) override {
    KJ_IF_MAYBE(c, keptCap) context.getResults().setCap(*c);
    return kj::READY_NOW;
  }

  kj::Promise<void> drop(DropContext context) override {
    keptCap = nullptr;
    return kj::READY_NOW;
  }

  kj::Promise<void> tail(TailContext context) override {
    auto request = context.getParams().getCallee().fooRequest();
    request.setI(context.getParams().getI());
    context.allowCancellation();
    context.releaseParams();
    return context.tailCall(kj::mv(request));
  }

  kj::Promise<void> sink(SinkContext context) override {
    context.getResults().setSink(kj::heap<SinkImpl>(context.getParams().getFailAt()));
    return kj::READY_NOW;
  }

  kj::Promise<void> calculator(CalculatorContext context) override {
    context.getResults().setCalculator(kj::heap<CalculatorImpl>());
    return kj::READY_NOW;
  }

  kj::Promise<void> die(DieContext context) override { _exit(7); }

  kj::Promise<void> twice(TwiceContext context) override {
    auto p = context.getParams();
    auto one = p.getOne().nextRequest().send();
    return p.getTwo().nextRequest().send().then([context](auto r) mutable {
      context.getResults().setN(r.getN());
    }).attach(kj::mv(one));
  }

  kj::Promise<void> numbered(NumberedContext context) override {
    auto n = context.getParams().getNumber();
    auto at = counts.labs.find(n);
    if (at == counts.labs.end()) {
      context.getResults().setLab(kj::heap<LabImpl>(counts, n));
    } else {
      context.getResults().setLab(at->second->thisCap());
    }
    return kj::READY_NOW;
  }

private:
  Counts& counts;
  kj::Maybe<uint> number;
  kj::ForkedPromise<void> gatePromise = nullptr;
  kj::Own<kj::PromiseFulfiller<void>> gateFulfiller;
  kj::Maybe<kj::Own<kj::PromiseFulfiller<Sequence::Client>>> held;
  kj::Maybe<Sequence::Client> keptCap;

  void shut() {
    auto paf = kj::newPromiseAndFulfiller<void>();
    gatePromise = paf.promise.fork();
    gateFulfiller = kj::mv(paf.fulfiller);
  }
};
