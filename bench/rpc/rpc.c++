// The C++ contestant of the RPC suite: a server or a client on libcapnp-rpc. It
// speaks on standard input and output what company/process.go describes, and
// makes the same calls as caller.go.
//
//   program server CASE DIR
//   program client CASE DIR ENDPOINT
//
// What libcapnp is given for its best: messages are told their size, and data
// that is sent is referred to, not copied. What a handler gives back it copies:
// its parameters do not live until the answer is written.

#include <capnp/ez-rpc.h>
#include <capnp/orphan.h>
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/compat/tls.h>
#include <kj/timer.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "calls.capnp.h"

namespace {

constexpr uint64_t fnvOffset = 14695981039346656037u;
constexpr uint64_t fnvPrime = 1099511628211u;

constexpr int inFlight = 64;
constexpr int sleepers = 4;
constexpr uint32_t sleepMicros = 20000;
constexpr int64_t chainAdds = 2;

// Sizes in words, with those of the roots.
const capnp::MessageSize numbers{8, 0};
const capnp::MessageSize oneCapability{8, 1};
capnp::MessageSize dataOf(size_t bytes) { return {bytes / 8 + 8, 0}; }

struct Digest {
  uint64_t h = fnvOffset;
  void number(uint64_t x) {
    for (int i = 0; i < 8; i++, x >>= 8) h = (h ^ (x & 0xff)) * fnvPrime;
  }
  void bytes(kj::ArrayPtr<const kj::byte> b) {
    for (kj::byte c : b) h = (h ^ c) * fnvPrime;
  }
};

void fillContent(kj::ArrayPtr<kj::byte> data, size_t i) {
  for (size_t j = 0; j < data.size(); j++) data[j] = kj::byte(i * 31 + j * 7 + (j >> 8));
}

int64_t operandA(size_t i) { return int64_t(i) * 1000003 - 7; }
int64_t operandB(size_t i) { return (int64_t(i) << 33) + 11; }

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

void say(const char *line) {
  std::fputs(line, stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

std::string contents(const std::string &path) {
  std::ifstream in(path);
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

// ---------------------------------------------------------------- the server

class StepImpl final : public Step::Server {
public:
  explicit StepImpl(int64_t v) : v(v) {}
  kj::Promise<void> step(StepContext context) override {
    context.getResults(oneCapability).setStep(kj::heap<StepImpl>(v + 1));
    return kj::READY_NOW;
  }
  kj::Promise<void> value(ValueContext context) override {
    context.getResults(numbers).setValue(v);
    return kj::READY_NOW;
  }

private:
  int64_t v;
};

class SinkImpl final : public Sink::Server {
public:
  explicit SinkImpl(bool whole) : whole(whole) {}
  kj::Promise<void> put(PutContext context) override {
    auto chunk = context.getParams().getChunk();
    total += chunk.size();
    hash.number(chunk.size());
    if (whole) {
      hash.bytes(chunk);
    } else if (chunk.size() > 0) {
      hash.number(uint64_t(chunk[0]) << 8 | chunk[chunk.size() - 1]);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> done(DoneContext context) override {
    auto results = context.getResults(numbers);
    results.setBytes(total);
    results.setHash(hash.h);
    return kj::READY_NOW;
  }

private:
  bool whole;
  uint64_t total = 0;
  Digest hash;
};

class SleeperImpl final : public Sleeper::Server {
public:
  explicit SleeperImpl(kj::Timer &timer) : timer(timer) {}
  kj::Promise<void> sleep(SleepContext context) override {
    return timer.afterDelay(context.getParams().getMicros() * kj::MICROSECONDS);
  }

private:
  kj::Timer &timer;
};

class BenchImpl final : public Bench::Server {
public:
  explicit BenchImpl(kj::Timer &timer) : timer(timer) {}
  kj::Promise<void> add(AddContext context) override {
    auto params = context.getParams();
    context.getResults(numbers).setSum(params.getA() + params.getB());
    return kj::READY_NOW;
  }
  kj::Promise<void> echo(EchoContext context) override {
    auto data = context.getParams().getData();
    context.getResults(dataOf(data.size())).setData(data);
    return kj::READY_NOW;
  }
  kj::Promise<void> step(StepContext context) override {
    context.getResults(oneCapability).setStep(kj::heap<StepImpl>(context.getParams().getValue() + 1));
    return kj::READY_NOW;
  }
  kj::Promise<void> sink(SinkContext context) override {
    context.getResults(oneCapability).setSink(kj::heap<SinkImpl>(context.getParams().getWhole()));
    return kj::READY_NOW;
  }
  kj::Promise<void> sleeper(SleeperContext context) override {
    context.getResults(oneCapability).setSleeper(kj::heap<SleeperImpl>(timer));
    return kj::READY_NOW;
  }

private:
  kj::Timer &timer;
};

// Answers the commands of standard input, which are nothing to a server, until
// it ends.
class Commands {
public:
  explicit Commands(kj::Own<kj::AsyncInputStream> in) : in(kj::mv(in)) {}
  kj::Promise<void> answer() {
    return in->tryRead(buffer, 1, sizeof(buffer)).then([this](size_t n) -> kj::Promise<void> {
      if (n == 0) return kj::READY_NOW;
      for (size_t i = 0; i < n; i++) {
        if (buffer[i] != '\n') {
          line.push_back(buffer[i]);
          continue;
        }
        say(line == "go" ? "done 0 0 0 0 0" : line == "end" ? "ok -1 -1" : "ready");
        line.clear();
      }
      return answer();
    });
  }

private:
  kj::Own<kj::AsyncInputStream> in;
  char buffer[256];
  std::string line;
};

const char *version() {
  static char text[64];
  std::snprintf(text, sizeof(text), "libcapnp-rpc %d.%d.%d", CAPNP_VERSION / 1000000, CAPNP_VERSION / 1000 % 1000,
                CAPNP_VERSION % 1000);
  return text;
}

void serve(kj::AsyncIoContext &io, const std::string &transport, const std::string &dir) {
  auto &network = io.provider->getNetwork();
  kj::String where = transport == "unix" ? kj::str("unix:", dir.c_str(), "/socket") : kj::str("127.0.0.1");
  auto port = network.parseAddress(where).wait(io.waitScope)->listen();
  kj::Own<kj::TlsContext> tls;
  kj::Maybe<kj::TlsKeypair> pair;
  auto number = port->getPort();
  if (transport == "tls") {
    auto cert = contents(dir + "/cert.pem"), key = contents(dir + "/key.pem");
    kj::TlsContext::Options options;
    auto &p = pair.emplace(kj::TlsKeypair{kj::TlsPrivateKey(kj::StringPtr(key.c_str())),
                                          kj::TlsCertificate(kj::StringPtr(cert.c_str()))});
    options.defaultKeypair = p;
    tls = kj::heap<kj::TlsContext>(kj::mv(options));
    port = tls->wrapPort(kj::mv(port));
  }
  capnp::TwoPartyServer server(kj::heap<BenchImpl>(io.provider->getTimer()));
  auto listening = server.listen(*port).eagerlyEvaluate([](kj::Exception &&e) {
    KJ_LOG(ERROR, e);
    _exit(1);
  });
  if (transport == "unix") {
    say(kj::str("open ", dir.c_str(), "/socket ", version()).cStr());
  } else {
    say(kj::str("open 127.0.0.1:", number, " ", version()).cStr());
  }
  Commands(io.lowLevelProvider->wrapInputFd(0)).answer().wait(io.waitScope);
}

// ---------------------------------------------------------------- the client

class Client {
public:
  Client(kj::WaitScope &scope, Bench::Client bench, const std::string &work, size_t size)
      : scope(scope), bench(kj::mv(bench)), work(work), data(kj::heapArray<kj::byte>(size)) {
    fillContent(data, 0);
  }

  // Makes n calls, and if check gives the hash over their results.
  uint64_t run(size_t n, bool check) {
    checking = check;
    results.assign(check ? n : 0, 0);
    times.clear();
    if (work == "add/seq") {
      adds(n);
    } else if (work == "add/64") {
      addsFromMany(n);
    } else if (work == "add/futures64") {
      addsByFutures(n);
    } else if (work == "add/beside4") {
      adds(n);
    } else if (work == "echo4K/seq" || work == "echo1M/seq") {
      echoes(n);
    } else if (work == "chain3/pipelined") {
      chains(n, true);
    } else if (work == "chain3/awaited") {
      chains(n, false);
    } else if (work == "stream64K") {
      stream(n);
    } else {
      KJ_FAIL_REQUIRE("no such work", work.c_str());
    }
    Digest d;
    for (auto r : results) d.number(r);
    return d.h;
  }

  // Has handlers block beside the calls.
  void prepare(size_t n) {
    times.reserve(n);
    if (work != "add/beside4" || sleeping.size() > 0) return;
    for (int i = 0; i < sleepers; i++) {
      auto s = bench.sleeperRequest(numbers).send().wait(scope).getSleeper();
      sleeping.add(sleepForEver(kj::mv(s)).eagerlyEvaluate([](kj::Exception &&e) {
        KJ_LOG(ERROR, e);
        _exit(1);
      }));
    }
  }

  std::vector<int64_t> times;

private:
  kj::Promise<void> sleepForEver(Sleeper::Client s) {
    auto r = s.sleepRequest(numbers);
    r.setMicros(sleepMicros);
    return r.send().then([this, s = kj::mv(s)](auto &&) mutable { return sleepForEver(kj::mv(s)); });
  }

  void result(size_t i, int64_t got, int64_t want) {
    KJ_REQUIRE(got == want, "wrong result", i, got, want);
    if (checking) results[i] = uint64_t(got);
  }

  void time(int64_t &last) {
    auto t = now();
    times.push_back(t - last);
    last = t;
  }

  auto startAdd(size_t i) {
    auto r = bench.addRequest(numbers);
    r.setA(operandA(i));
    r.setB(operandB(i));
    return r.send();
  }

  void adds(size_t n) {
    auto last = now();
    for (size_t i = 0; i < n; i++) {
      result(i, startAdd(i).wait(scope).getSum(), operandA(i) + operandB(i));
      time(last);
    }
  }

  kj::Promise<void> addOne(size_t i, size_t to, int64_t last) {
    if (i == to) return kj::READY_NOW;
    return startAdd(i).then([=](auto &&response) mutable {
      result(i, response.getSum(), operandA(i) + operandB(i));
      time(last);
      return addOne(i + 1, to, last);
    });
  }

  void addsFromMany(size_t n) {
    auto all = kj::heapArrayBuilder<kj::Promise<void>>(inFlight);
    for (size_t g = 0; g < inFlight; g++) all.add(addOne(n * g / inFlight, n * (g + 1) / inFlight, now()));
    kj::joinPromises(all.finish()).wait(scope);
  }

  void addsByFutures(size_t n) {
    for (size_t at = 0; at < n; at += inFlight) {
      kj::Vector<capnp::RemotePromise<Bench::AddResults>> all(inFlight);
      size_t to = std::min(n, at + inFlight);
      for (size_t i = at; i < to; i++) all.add(startAdd(i));
      for (size_t i = at; i < to; i++) {
        result(i, all[i - at].wait(scope).getSum(), operandA(i) + operandB(i));
      }
    }
  }

  void echoes(size_t n) {
    auto last = now();
    for (size_t i = 0; i < n; i++) {
      if (checking) fillContent(data, i);
      auto r = bench.echoRequest(capnp::MessageSize{16, 0});
      r.adoptData(capnp::Orphanage::getForMessageContaining(Bench::EchoParams::Builder(r))
                      .referenceExternalData(data.asPtr().asConst()));
      auto response = r.send().wait(scope);
      auto got = response.getData();
      KJ_REQUIRE(got.size() == data.size() && got[0] == data[0] && got[got.size() - 1] == data[got.size() - 1],
                 "something else came back");
      if (checking) {
        Digest d;
        d.bytes(got);
        results[i] = d.h;
      }
      time(last);
    }
  }

  void chains(size_t n, bool pipelined) {
    auto last = now();
    for (size_t i = 0; i < n; i++) {
      auto r = bench.stepRequest(numbers);
      r.setValue(operandA(i));
      auto first = r.send();
      int64_t v;
      if (pipelined) {
        auto second = first.getStep().stepRequest(numbers).send();
        v = second.getStep().valueRequest(numbers).send().wait(scope).getValue();
      } else {
        auto second = first.wait(scope).getStep().stepRequest(numbers).send().wait(scope);
        v = second.getStep().valueRequest(numbers).send().wait(scope).getValue();
      }
      result(i, v, operandA(i) + chainAdds);
      time(last);
    }
  }

  void stream(size_t n) {
    auto open = bench.sinkRequest(numbers);
    open.setWhole(checking);
    auto sink = open.send().wait(scope).getSink();
    // In a check each chunk differs, and so needs memory of its own.
    kj::Vector<kj::Array<kj::byte>> chunks;
    for (size_t i = 0; i < n; i++) {
      kj::ArrayPtr<const kj::byte> chunk = data;
      if (checking) {
        auto &mine = chunks.add(kj::heapArray<kj::byte>(data.size()));
        fillContent(mine, i);
        chunk = mine;
      }
      auto r = sink.putRequest(capnp::MessageSize{16, 0});
      r.adoptChunk(capnp::Orphanage::getForMessageContaining(Sink::PutParams::Builder(r)).referenceExternalData(chunk));
      r.send().wait(scope);
    }
    auto total = sink.doneRequest(numbers).send().wait(scope);
    KJ_REQUIRE(total.getBytes() == uint64_t(n) * data.size(), "not all has been received", total.getBytes());
    if (checking) results = {total.getBytes(), total.getHash()};
  }

  kj::WaitScope &scope;
  Bench::Client bench;
  std::string work;
  kj::Array<kj::byte> data;
  kj::Vector<kj::Promise<void>> sleeping;
  std::vector<uint64_t> results;
  bool checking = false;
};

void expect(const char *word) {
  std::string got;
  std::cin >> got;
  KJ_REQUIRE(got == word, "out of turn", got.c_str());
}

void obey(Client &client, const char *endpoint) {
  say(kj::str("open ", endpoint, " ", version()).cStr());
  std::string word;
  while (std::cin >> word) {
    size_t n = 0;
    bool known = (word == "run" || word == "check") && bool(std::cin >> n);
    KJ_REQUIRE(known, "out of turn", word.c_str());
    client.prepare(n);
    say("ready");
    expect("go");
    auto begin = now();
    auto hash = client.run(n, word == "check");
    auto finish = now();
    auto &times = client.times;
    std::sort(times.begin(), times.end());
    auto percentile = [&](int p) { return times.empty() ? 0 : times[times.size() * p / 100]; };
    say(kj::str("done ", begin, " ", finish, " ", percentile(50), " ", percentile(99), " ", int64_t(hash)).cStr());
    expect("end");
    say("ok -1 -1");
  }
}

size_t sizeOf(const std::string &work) {
  if (work == "echo4K/seq") return 4 << 10;
  if (work == "echo1M/seq") return 1 << 20;
  if (work == "stream64K") return 64 << 10;
  return 0;
}

void call(kj::AsyncIoContext &io, const std::string &transport, const std::string &work, const std::string &dir,
          const char *endpoint) {
  if (transport == "inproc") {
    Client client(io.waitScope, kj::heap<BenchImpl>(io.provider->getTimer()), work, sizeOf(work));
    obey(client, endpoint);
    return;
  }
  auto &network = io.provider->getNetwork();
  kj::String where = transport == "unix" ? kj::str("unix:", endpoint) : kj::str(endpoint);
  auto stream = network.parseAddress(where).wait(io.waitScope)->connect().wait(io.waitScope);
  kj::Own<kj::TlsContext> tls;
  if (transport == "tls") {
    auto cert = contents(dir + "/cert.pem");
    kj::TlsCertificate trusted(kj::StringPtr(cert.c_str()));
    kj::TlsContext::Options options;
    options.useSystemTrustStore = false;
    options.trustedCertificates = kj::arrayPtr(&trusted, 1);
    tls = kj::heap<kj::TlsContext>(kj::mv(options));
    stream = tls->wrapClient(kj::mv(stream), "localhost").wait(io.waitScope);
  }
  capnp::TwoPartyClient connection(*stream);
  Client client(io.waitScope, connection.bootstrap().castAs<Bench>(), work, sizeOf(work));
  obey(client, endpoint);
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 4) {
    std::fprintf(stderr, "rpc: want server|client CASE DIR [ENDPOINT]\n");
    return 2;
  }
  std::string role = argv[1], name = argv[2], dir = argv[3];
  auto slash = name.find('/');
  std::string transport = name.substr(0, slash), work = name.substr(slash + 1);
  auto io = kj::setupAsyncIo();
  if (role == "server") {
    serve(io, transport, dir);
  } else {
    call(io, transport, work, dir, argc > 4 ? argv[4] : "-");
  }
  return 0;
}
