// A worker on iceoryx: one side of a connection, in C++. It does what worker.go
// does in Go, and speaks as package company describes.
//
// What iceoryx is given for its best: untyped ports, of which the publisher
// waits for its subscribers and the queue is as long as the pool allows; a
// message is written into the chunk that is loaned, and looked at where it
// lies. Who is to spin polls its port; who is to sleep waits on a WaitSet, but
// only when there is nothing to take.

#include <poll.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "iceoryx_hoofs/log/logmanager.hpp"
#include "iceoryx_posh/popo/untyped_publisher.hpp"
#include "iceoryx_posh/popo/untyped_subscriber.hpp"
#include "iceoryx_posh/popo/wait_set.hpp"
#include "iceoryx_posh/runtime/posh_runtime.hpp"
#include "iceoryx_versions.hpp"

namespace {

enum Role { ASK, ANSWER, SEND, TAKE, PUB, SUB };
const char *const roleNames[] = {"ask", "answer", "send", "take", "pub", "sub"};

Role role;
uint32_t size;
bool asleep, crowded;
uint64_t sent, received;
std::vector<int64_t> times;

std::unique_ptr<iox::popo::UntypedPublisher> publisher;
std::unique_ptr<iox::popo::UntypedSubscriber> subscriber;
std::unique_ptr<iox::popo::WaitSet<>> waiting;

[[noreturn]] void fail(const std::string &what) {
  fprintf(stderr, "%s\n", what.c_str());
  _exit(1);
}

// The length of a queue. The daemon's pools are as large as it takes.
uint64_t queue() { return std::min(std::max((uint64_t(128) << 20) / size, uint64_t(2)), uint64_t(256)); }

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

// The contents of messages, as shape.go has them.
uint64_t root() { return 1 | uint64_t(2) << 32 | uint64_t(size - 8) << 35; }

uint64_t content(uint64_t i, uint64_t j) {
  uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u + j * 0xbf58476d1ce4e5b9u;
  return x ^ x >> 29;
}

uint64_t *loan() {
  uint64_t *words = nullptr;
  while (words == nullptr) {
    publisher->loan(size)
        .and_then([&](void *chunk) { words = static_cast<uint64_t *>(chunk); })
        .or_else([](iox::popo::AllocationError e) {
          // All chunks are on their way.
          if (e != iox::popo::AllocationError::RUNNING_OUT_OF_CHUNKS) fail("loan: error " + std::to_string(int(e)));
          sched_yield();
        });
  }
  return words;
}

const uint64_t *take() {
  const uint64_t *words = nullptr;
  for (int misses = 1;; misses++) {
    subscriber->take()
        .and_then([&](const void *chunk) { words = static_cast<const uint64_t *>(chunk); })
        .or_else([](iox::popo::ChunkReceiveResult e) {
          if (e != iox::popo::ChunkReceiveResult::NO_CHUNK_AVAILABLE) fail("take: error " + std::to_string(int(e)));
        });
    if (words != nullptr) break;
    if (asleep) {
      waiting->wait();
    } else if (crowded && misses % 64 == 0) {
      sched_yield();
    }
  }
  if (iox::mepoo::ChunkHeader::fromUserPayload(words)->userPayloadSize() != size) fail("received a message of another size");
  return words;
}

void sendRun(long n) {
  for (long i = 0; i < n; i++) {
    uint64_t *words = loan();
    words[0] = root();
    words[1] = words[size / 8 - 1] = ++sent;
    publisher->publish(words);
  }
}

void recvRun(long n) {
  for (long i = 0; i < n; i++) {
    const uint64_t *words = take();
    received++;
    if (words[0] != root() || words[1] != received || words[size / 8 - 1] != received)
      fail("received the message stamped " + std::to_string(words[1]) + ", want " + std::to_string(received));
    subscriber->release(words);
  }
}

void run(long n) {
  switch (role) {
    case ASK: {
      int64_t last = now();
      for (long i = 0; i < n; i++) {
        sendRun(1);
        recvRun(1);
        int64_t t = now();
        times.push_back(t - last);
        last = t;
      }
      break;
    }
    case ANSWER:
      for (long i = 0; i < n; i++) recvRun(1), sendRun(1);
      break;
    case SEND:
    case PUB: sendRun(n); break;
    case TAKE:
    case SUB: recvRun(n); break;
  }
}

uint64_t check(long n) {
  uint64_t hash = 14695981039346656037u;
  for (long i = 0; i < n; i++) {
    if (role == ASK || role == SEND || role == PUB) {
      uint64_t *words = loan();
      words[0] = root();
      for (uint32_t j = 1; j < size / 8; j++) words[j] = content(uint64_t(i), j);
      publisher->publish(words);
    }
    if (role == SEND || role == PUB) continue;
    const uint64_t *words = take();
    hash = (hash ^ size) * 1099511628211u;
    for (uint32_t j = 0; j < size / 8; j++) {
      hash = (hash ^ words[j]) * 1099511628211u;
      hash ^= hash >> 32;
    }
    if (role == ANSWER) {
      uint64_t *back = loan();
      memcpy(back, words, size);
      publisher->publish(back);
    }
    subscriber->release(words);
  }
  return hash;
}

// Waits until the others are there. Subscribers and publishers are found by the
// daemon, some time later.
void meet() {
  while ((subscriber && subscriber->getSubscriptionState() != iox::SubscribeState::SUBSCRIBED) ||
         (publisher && !publisher->hasSubscribers()))
    usleep(200);
}

int64_t percentile(size_t p) { return times.empty() ? 0 : times[times.size() * p / 100]; }

void expect(const char *verb) {
  char line[64];
  if (!fgets(line, sizeof line, stdin)) exit(0);
  if (strncmp(line, verb, strlen(verb)) != 0) fail(std::string("out of turn: ") + line);
}

void turn(bool checking, long n) {
  meet();
  times.clear();
  if (role == ASK) times.reserve(size_t(n));
  printf("ready\n");
  fflush(stdout);
  expect("go");
  int64_t begin = now();
  uint64_t hash = 0;
  if (checking) {
    hash = check(n);
  } else {
    run(n);
  }
  int64_t end = now();
  std::sort(times.begin(), times.end());
  printf("done %lld %lld %lld %lld %lld\n", (long long)begin, (long long)end, (long long)percentile(50),
         (long long)percentile(99), (long long)hash);
  fflush(stdout);
  expect("end");
  printf("ok -1 -1\n");
  fflush(stdout);
}

// Ends the process when its parent is gone while it waits for a message.
void watch() {
  pollfd p = {0, 0, 0};
  while (poll(&p, 1, -1) < 1 || !(p.revents & (POLLHUP | POLLERR))) continue;
  sleep(2); // the end of the input is seen by main, if it looks
  _exit(0);
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 6) fail("usage: worker ROLE SIZE spin|adaptive|sleep RECEIVERS ENDPOINT [WHICH]");
  bool known = false;
  for (int i = 0; i < 6; i++)
    if (strcmp(argv[1], roleNames[i]) == 0) role = Role(i), known = true;
  size = uint32_t(strtoul(argv[2], nullptr, 10));
  if (!known || size < 24 || size % 8 != 0) fail("no such role and size");
  asleep = strcmp(argv[3], "sleep") == 0;
  crowded = atoi(argv[4]) > 1;
  std::string endpoint = argv[5];
  std::string name = endpoint.substr(endpoint.size() > 90 ? endpoint.size() - 90 : 0);

  iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kError, iox::log::LogLevelOutput::kHideLogLevel);
  iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, "bench-" + std::to_string(getpid())));
  auto service = [&](const char *way) {
    return iox::capro::ServiceDescription("bench", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, name),
                                          iox::capro::IdString_t(iox::cxx::TruncateToCapacity, way));
  };
  iox::popo::PublisherOptions out;
  out.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
  iox::popo::SubscriberOptions in;
  in.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
  in.queueCapacity = queue();
  if (role != TAKE && role != SUB) publisher = std::make_unique<iox::popo::UntypedPublisher>(service(role == ANSWER ? "back" : "there"), out);
  if (role != SEND && role != PUB) subscriber = std::make_unique<iox::popo::UntypedSubscriber>(service(role == ASK ? "back" : "there"), in);
  if (asleep && subscriber) {
    waiting = std::make_unique<iox::popo::WaitSet<>>();
    if (waiting->attachState(*subscriber, iox::popo::SubscriberState::HAS_DATA).has_error()) fail("the WaitSet takes no subscriber");
  }
  if (role == ASK || role == SEND || role == SUB) meet();
  std::thread(watch).detach();
  printf("open %s %s\n", endpoint.c_str(), ICEORYX_LATEST_RELEASE_VERSION);
  fflush(stdout);

  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    char verb[16] = "";
    long n = 0;
    sscanf(line, "%15s %ld", verb, &n);
    if (strcmp(verb, "run") != 0 && strcmp(verb, "check") != 0) fail(std::string("out of turn: ") + line);
    turn(verb[0] == 'c', n);
  }
  waiting.reset();
  return 0;
}
