// Serves a Lab. Usage: server [OTHER] ADDRESS, such as unix:/path or 127.0.0.1:0.
// With OTHER it serves the Lab that is served there. It prints the port (0 for a
// unix socket) when it listens, and ends with its standard input.
#include <capnp/rpc-twoparty.h>
#include <kj/async-unix.h>
#include <stdio.h>

#include "lab.h"

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return 2;
  auto io = kj::setupAsyncIo();
  Counts counts;
  // All connections share one lab.
  Lab::Client lab = kj::heap<LabImpl>(counts);
  kj::Own<kj::AsyncIoStream> stream;
  kj::Own<capnp::TwoPartyClient> other;
  if (argc == 3) {
    stream = io.provider->getNetwork().parseAddress(argv[1]).wait(io.waitScope)->connect().wait(io.waitScope);
    other = kj::heap<capnp::TwoPartyClient>(*stream);
    lab = other->bootstrap().castAs<Lab>();
  }
  capnp::TwoPartyServer server(kj::mv(lab));
  auto address = io.provider->getNetwork().parseAddress(argv[argc - 1]).wait(io.waitScope);
  auto listener = address->listen();
  printf("%u\n", listener->getPort());
  fflush(stdout);
  auto input = io.lowLevelProvider->wrapInputFd(0);
  char c;
  auto end = input->tryRead(&c, 1, 1).ignoreResult();
  server.listen(*listener).exclusiveJoin(kj::mv(end)).wait(io.waitScope);
  _exit(0);
}
