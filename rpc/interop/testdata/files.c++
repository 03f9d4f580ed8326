// Capabilities with file descriptors.
//
//   files serve MOST ADDRESS    serves a Drawer, and takes MOST descriptors with a message
//   files client MOST ADDRESS   tries what a server of the tests has
//
// The server prints the port (0 for a unix socket) when it listens, and ends with
// its standard input.
#include <capnp/rpc-twoparty.h>
#include <dirent.h>
#include <errno.h>
#include <kj/async-unix.h>
#include <kj/debug.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "interop.capnp.h"

static kj::String content(int fd) {
  char b[64];
  ssize_t n = pread(fd, b, sizeof(b), 0);
  KJ_REQUIRE(n >= 0, strerror(errno));
  return kj::heapString(b, n);
}

class HandleImpl final: public Handle::Server {
public:
  explicit HandleImpl(kj::StringPtr name): name_(kj::heapString(name)) {
    int n;
    KJ_SYSCALL(n = memfd_create(name_.cStr(), MFD_CLOEXEC));
    fd = kj::AutoCloseFd(n);
    KJ_ASSERT(pwrite(n, name_.begin(), name_.size(), 0) == (ssize_t)name_.size());
  }
  kj::Promise<void> name(NameContext context) override {
    context.getResults().setName(name_);
    return kj::READY_NOW;
  }
  kj::Maybe<int> getFd() override { return fd.get(); }

private:
  kj::String name_;
  kj::AutoCloseFd fd;
};

static kj::uint opened() {
  auto dir = opendir("/proc/self/fd");
  KJ_REQUIRE(dir != nullptr);
  kj::uint n = 0;
  while (auto e = readdir(dir)) n += e->d_name[0] != '.';
  closedir(dir);
  return n - 1;
}

class DrawerImpl final: public Drawer::Server {
public:
  explicit DrawerImpl(kj::Timer& timer): timer(timer) {}

  kj::Promise<void> open(OpenContext context) override {
    auto params = context.getParams();
    auto results = context.getResults();
    results.setPadding(params.getPadding());
    results.setHandle(kj::heap<HandleImpl>(params.getName()));
    return kj::READY_NOW;
  }
  kj::Promise<void> later(LaterContext context) override {
    auto name = kj::heapString(context.getParams().getName());
    context.getResults().setHandle(timer.afterDelay(5 * kj::MILLISECONDS).then([name = kj::mv(name)]() -> Handle::Client {
      return kj::heap<HandleImpl>(name);
    }));
    return kj::READY_NOW;
  }
  kj::Promise<void> read(ReadContext context) override {
    auto handle = context.getParams().getHandle();
    return handle.getFd().then([context, handle](kj::Maybe<int> fd) mutable {
      KJ_IF_MAYBE(n, fd) { context.getResults().setContent(content(*n)); }
    });
  }
  kj::Promise<void> echo(EchoContext context) override {
    context.getResults().setHandle(context.getParams().getHandle());
    return kj::READY_NOW;
  }
  kj::Promise<void> many(ManyContext context) override {
    kj::uint n = context.getParams().getCount();
    auto list = context.getResults().initHandles(n);
    for (kj::uint i = 0; i < n; i++) list.set(i, kj::heap<HandleImpl>(kj::str(i)));
    return kj::READY_NOW;
  }
  kj::Promise<void> opened(OpenedContext context) override {
    context.getResults().setFiles(::opened());
    return kj::READY_NOW;
  }

private:
  kj::Timer& timer;
};

struct Desk {
  kj::AsyncIoContext& io;
  kj::WaitScope& ws;
  Drawer::Client drawer;
  kj::uint most;

  // expect checks the file of a handle, which it has if descriptors are taken.
  void expect(Handle::Client handle, kj::StringPtr name) {
    auto fd = handle.getFd().wait(ws);
    KJ_IF_MAYBE(n, fd) {
      KJ_REQUIRE(most > 0 && content(*n) == name, most, content(*n), name);
    } else {
      KJ_REQUIRE(most == 0, "no descriptor", name);
    }
    KJ_REQUIRE(handle.nameRequest().send().wait(ws).getName() == name);
  }
  kj::String read(Handle::Client handle, size_t padding) {
    auto request = drawer.readRequest();
    request.setHandle(handle);
    request.initPadding(padding);
    auto response = request.send().wait(ws);
    return response.hasContent() ? kj::heapString(response.getContent()) : kj::heapString("none");
  }
  // sent is what comes of the descriptors sent: who takes none sends none.
  kj::StringPtr sent(kj::StringPtr name) { return most > 0 ? name : kj::StringPtr("none"); }
  void all() {
    for (size_t padding: {0, 1000, 100000, 3000000}) {
      auto request = drawer.openRequest();
      request.setName("opened");
      request.initPadding(padding);
      auto promise = request.send();
      auto early = promise.getHandle();
      auto response = promise.wait(ws);
      KJ_REQUIRE(response.getPadding().size() == padding);
      expect(response.getHandle(), "opened");
      expect(early, "opened");

      auto content = read(kj::heap<HandleImpl>("written"), padding);
      KJ_REQUIRE(content == sent("written"), content);
    }
    auto promised = drawer.laterRequest();
    promised.setName("later");
    expect(promised.send().wait(ws).getHandle(), "later");

    auto soon = io.provider->getTimer().afterDelay(5 * kj::MILLISECONDS).then([]() -> Handle::Client {
      return kj::heap<HandleImpl>("soon");
    });
    auto content = read(Handle::Client(kj::mv(soon)), 10);
    KJ_REQUIRE(content == sent("soon"), content);

    Handle::Client own = kj::heap<HandleImpl>("own");
    auto echo = drawer.echoRequest();
    echo.setHandle(own);
    KJ_IF_MAYBE(fd, echo.send().wait(ws).getHandle().getFd().wait(ws)) {
      KJ_REQUIRE(::content(*fd) == "own");
    } else {
      KJ_FAIL_REQUIRE("what came home has no descriptor");
    }

    auto many = drawer.manyRequest();
    many.setCount(6);
    auto response = many.send().wait(ws);
    auto handles = response.getHandles();
    for (kj::uint i = 0; i < handles.size(); i++) {
      auto fd = handles[i].getFd().wait(ws);
      KJ_REQUIRE((fd != nullptr) == (i < most), i, most);
      KJ_IF_MAYBE(n, fd) KJ_REQUIRE(::content(*n) == kj::str(i));
    }

    kj::Vector<capnp::RemotePromise<Drawer::OpenResults>> opens;
    for (kj::uint i = 0; i < 100; i++) {
      auto request = drawer.openRequest();
      request.setName(kj::str(i));
      request.initPadding(i * 97);
      opens.add(request.send());
    }
    for (kj::uint i = 0; i < opens.size(); i++) expect(opens[i].wait(ws).getHandle(), kj::str(i));
  }
};

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  kj::uint most = atoi(argv[2]);
  auto io = kj::setupAsyncIo();
  auto address = io.provider->getNetwork().parseAddress(argv[3]).wait(io.waitScope);
  if (strcmp(argv[1], "client") == 0) {
    KJ_IF_MAYBE(e, kj::runCatchingExceptions([&] {
      auto stream = address->connect().wait(io.waitScope).downcast<kj::AsyncCapabilityStream>();
      kj::uint before;
      {
        capnp::TwoPartyClient client(*stream, most);
        Desk desk { io, io.waitScope, client.bootstrap().castAs<Drawer>(), most };
        desk.all();
        before = opened();
        desk.all();
        KJ_REQUIRE(opened() <= before, opened(), before);
      }
    })) {
      printf("FAIL: %s\n", kj::str(*e).cStr());
      return 1;
    }
    printf("ok files\n");
    return 0;
  }
  capnp::TwoPartyServer server(kj::heap<DrawerImpl>(io.provider->getTimer()));
  auto listener = address->listen();
  printf("%u\n", listener->getPort());
  fflush(stdout);
  auto input = io.lowLevelProvider->wrapInputFd(0);
  char c;
  auto end = input->tryRead(&c, 1, 1).ignoreResult();
  server.listenCapStreamReceiver(*listener, most).exclusiveJoin(kj::mv(end)).wait(io.waitScope);
  _exit(0);
}
