// Named exports, and capabilities that are saved and restored.
//
//   named serve ADDRESS      serves a Host, and exports "seven" and "", by EzRpcServer
//   named restorer ADDRESS   restores by ObjectId, once, by a SturdyRefRestorer
//   named client ADDRESS     asks a server of the tests for all of that
//
// Servers print the port (0 for a unix socket) when they listen.
#define CAPNP_IGNORE_DEPRECATION 1
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <capnp/ez-rpc.h>
#include <capnp/persistent.capnp.h>
#include <capnp/rpc-twoparty.h>
#include <kj/async-unix.h>
#include <kj/debug.h>
#include <map>
#include <stdio.h>
#include <string.h>
#include <string>

#include "named.capnp.h"

using Saved = capnp::Persistent<capnp::Data, capnp::Text>;

class Count final: public Sequence::Server {
public:
  explicit Count(uint from): n(from) {}
  kj::Promise<void> next(NextContext context) override {
    context.getResults().setN(n++);
    return kj::READY_NOW;
  }
  uint n;
};

class HostImpl final: public Host::Server {
public:
  kj::Promise<void> next(Sequence::Server::NextContext context) override {
    context.getResults().setN(100);
    return kj::READY_NOW;
  }
  kj::Promise<void> save(SaveContext context) override {
    auto owner = context.getParams().getSealFor();
    KJ_REQUIRE(owner == "" || owner == "user:c++", "an owner that is not known", owner);
    std::string ref = "ref-" + std::to_string(refs.size());
    refs.emplace(ref, 200 + refs.size());
    context.getResults().setSturdyRef(kj::ArrayPtr<const kj::byte>(reinterpret_cast<const kj::byte*>(ref.data()), ref.size()));
    return kj::READY_NOW;
  }
  kj::Promise<void> restore(RestoreContext context) override {
    auto found = refs.find(key(context.getParams().getRef()));
    KJ_REQUIRE(found != refs.end(), "no such reference");
    context.getResults().setCap(Sequence::Client(kj::heap<Count>(found->second)));
    return kj::READY_NOW;
  }
  kj::Promise<void> drop(DropContext context) override {
    refs.erase(key(context.getParams().getRef()));
    return kj::READY_NOW;
  }
  kj::Promise<void> names(NamesContext context) override {
    auto names = context.getResults().initNames(2);
    names.set(0, "");
    names.set(1, "seven");
    return kj::READY_NOW;
  }

private:
  std::map<std::string, uint> refs;
  static std::string key(capnp::AnyPointer::Reader ref) {
    auto data = ref.getAs<capnp::Data>();
    return std::string(reinterpret_cast<const char*>(data.begin()), data.size());
  }
};

class ById final: public capnp::SturdyRefRestorer<ObjectId> {
public:
  capnp::Capability::Client restore(ObjectId::Reader id) override {
    KJ_REQUIRE(id.getNumber() != 13, "no such object");
    return Sequence::Client(kj::heap<Count>(id.getNumber()));
  }
};

static int serve(const char* address) {
  capnp::EzRpcServer server(kj::heap<HostImpl>(), address);
  server.exportCap("seven", Sequence::Client(kj::heap<Count>(7)));
  server.exportCap("", Sequence::Client(kj::heap<Count>(1)));
  printf("%u\n", server.getPort().wait(server.getWaitScope()));
  fflush(stdout);
  kj::NEVER_DONE.wait(server.getWaitScope());
}

static int restorer(const char* at) {
  auto io = kj::setupAsyncIo();
  auto listener = io.provider->getNetwork().parseAddress(at).wait(io.waitScope)->listen();
  printf("%u\n", listener->getPort());
  fflush(stdout);
  auto stream = listener->accept().wait(io.waitScope);
  capnp::TwoPartyVatNetwork network(*stream, capnp::rpc::twoparty::Side::SERVER);
  ById byId;
  auto system = capnp::makeRpcServer(network, byId);
  network.onDisconnect().wait(io.waitScope);
  return 0;
}

static uint next(Sequence::Client c, kj::WaitScope& ws) { return c.nextRequest().send().wait(ws).getN(); }

template <typename F>
static void fails(const char* with, F&& f) {
  KJ_IF_MAYBE(e, kj::runCatchingExceptions(f)) {
    bool found = strstr(e->getDescription().cStr(), with) != nullptr;
    KJ_REQUIRE(found, e->getDescription(), with);
    return;
  }
  KJ_FAIL_REQUIRE("no exception", with);
}

static kj::Array<kj::byte> save(capnp::Capability::Client c, kj::StringPtr owner, kj::WaitScope& ws) {
  auto request = c.castAs<Saved>().saveRequest();
  if (owner != "") request.setSealFor(owner);
  return kj::heapArray<kj::byte>(request.send().wait(ws).getSturdyRef());
}

static Sequence::Client restore(capnp::Capability::Client from, kj::ArrayPtr<const kj::byte> ref) {
  auto request = from.castAs<Restorer>().restoreRequest();
  request.getRef().setAs<capnp::Data>(ref);
  return request.send().getCap().castAs<Sequence>();
}

static int client(const char* address) {
  kj::Array<kj::byte> ref, sealed, mine;
  {
    capnp::EzRpcClient client(address);
    auto& ws = client.getWaitScope();
    KJ_REQUIRE(next(client.getMain<Sequence>(), ws) == 100);
    KJ_REQUIRE(next(client.importCap<Sequence>("seven"), ws) == 7);
    KJ_REQUIRE(next(client.importCap<Sequence>("seven"), ws) == 8);
    KJ_REQUIRE(next(client.importCap<Sequence>(""), ws) == 1);
    fails("nowhere", [&] { next(client.importCap<Sequence>("nowhere"), ws); });
    auto main = client.getMain<Sequence>();
    ref = save(main, "", ws);
    sealed = save(main, "user:somebody", ws);
    mine = save(main, "self", ws);
    KJ_REQUIRE(ref.size() == 32 && ref != sealed);
    fails("owner", [&] { save(main, "nonsense", ws); });
    auto answer = client.getMain().castAs<Exports>().namesRequest().send().wait(ws);
    auto names = answer.getNames();
    KJ_REQUIRE(names.size() == 2 && names[0] == "" && names[1] == "seven");
    fails("method", [&] { save(client.importCap("seven"), "", ws); });
  }
  auto io = kj::setupAsyncIo();
  auto& ws = io.waitScope;
  auto stream = io.provider->getNetwork().parseAddress(address).wait(ws)->connect().wait(ws);
  capnp::TwoPartyVatNetwork network(*stream, capnp::rpc::twoparty::Side::CLIENT);
  auto system = capnp::makeRpcClient(network);
  capnp::MallocMessageBuilder hostMessage, idMessage;
  auto host = hostMessage.initRoot<capnp::rpc::twoparty::VatId>();
  host.setSide(capnp::rpc::twoparty::Side::SERVER);
  auto boot = system.bootstrap(host);
  KJ_REQUIRE(next(restore(boot, ref), ws) == 101);
  KJ_REQUIRE(next(restore(boot, mine), ws) == 102);
  fails("no such reference", [&] { next(restore(boot, sealed), ws); });
  auto request = boot.castAs<Restorer>().dropRequest();
  request.getRef().setAs<capnp::Data>(ref);
  request.send().wait(ws);
  fails("no such reference", [&] { next(restore(boot, ref), ws); });
  auto object = idMessage.getRoot<capnp::AnyPointer>();
  object.initAs<ObjectId>().setNumber(55);
  KJ_REQUIRE(next(system.restore(host, object).castAs<Sequence>(), ws) == 55);
  object.initAs<ObjectId>().setNumber(13);
  fails("13", [&] { next(system.restore(host, object).castAs<Sequence>(), ws); });
  KJ_REQUIRE(next(boot.castAs<Sequence>(), ws) == 103);
  printf("ok\n");
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  if (!strcmp(argv[1], "serve")) return serve(argv[2]);
  if (!strcmp(argv[1], "restorer")) return restorer(argv[2]);
  if (!strcmp(argv[1], "client")) return client(argv[2]);
  return 2;
}
