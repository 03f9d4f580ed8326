// Serves a Lab. Usage: server ADDRESS, such as unix:/path or 127.0.0.1:0. It
// prints the port (0 for a unix socket) when it listens, and ends with its
// standard input.
#include <capnp/rpc-twoparty.h>
#include <kj/async-unix.h>
#include <stdio.h>

#include "lab.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto io = kj::setupAsyncIo();
  Counts counts;
  // All connections share one lab.
  capnp::TwoPartyServer server(kj::heap<LabImpl>(counts));
  auto address = io.provider->getNetwork().parseAddress(argv[1]).wait(io.waitScope);
  auto listener = address->listen();
  printf("%u\n", listener->getPort());
  fflush(stdout);
  auto input = io.lowLevelProvider->wrapInputFd(0);
  char c;
  auto end = input->tryRead(&c, 1, 1).ignoreResult();
  server.listen(*listener).exclusiveJoin(kj::mv(end)).wait(io.waitScope);
  _exit(0);
}
