// A worker on libzmq: one side of a connection, in C. It does what package company
// does in Go, and speaks as is described there.
//
// What libzmq is given for its best: the frames that it sends are constant
// memory (zmq_msg_init_data without a function to free it), which it neither
// copies nor allocates for; what it receives stays in its own messages.

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define MAX_FRAMES 4
#define SUBSCRIBERS 4

static const char client_public[] = "A<5UtFGLpb^W^JjGtfFbI@).BS4Wy9KJ($9kx9Rr";
static const char client_secret[] = "VTOsV4HCKta(kEhj!k@1bi0T9ds{tM4aYs&w=!t2";
static const char server_public[] = "wV=6(^OaUEwu8^=Ev>K6.hywF59<qrL15QK7sHPT";
static const char server_secret[] = "of44Zbbn*1ug)LMyse3<GbfvD{5Jr6R!80WvZ!)l";

enum role { PUSH, PULL, REQ, REP, PUB, SUB };
static const struct {
  const char *name;
  int type, binds;
} roles[] = {
    {"push", ZMQ_PUSH, 0}, {"pull", ZMQ_PULL, 1}, {"req", ZMQ_REQ, 0},
    {"rep", ZMQ_REP, 1},   {"pub", ZMQ_PUB, 1},   {"sub", ZMQ_SUB, 0},
};

static enum role role;
static int size, frames, frame_size;
static void *sock;
static unsigned char *payload[MAX_FRAMES];
static int64_t *times;
static long times_len, times_cap;

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, zmq_strerror(zmq_errno()));
  exit(1);
}

static void fail_shape(const char *what, long got, long want) {
  fprintf(stderr, "%s %ld, want %ld\n", what, got, want);
  exit(1);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int min(int a, int b) { return a < b ? a : b; }
static int max(int a, int b) { return a > b ? a : b; }

static int window(void) { return min(max((16 << 20) / size, 8), 4096) & ~3; }

static int high_water(void) {
  if (role == PUB || role == SUB) return 4 * window();
  return min(max((64 << 20) / size, 16), 1000);
}

static void fill(unsigned char *to, int i, int f) {
  for (int j = 0; j < frame_size; j++) to[j] = (unsigned char)(i * 31 + f * 17 + j * 7 + (j >> 8));
}

static uint64_t hash;

static void hash_byte(unsigned char b) { hash = (hash ^ b) * 1099511628211u; }

static void hash_number(uint64_t x) {
  for (int i = 0; i < 8; i++, x >>= 8) hash_byte((unsigned char)x);
}

static void send_one(void) {
  for (int f = 0; f < frames; f++) {
    zmq_msg_t m;
    zmq_msg_init_data(&m, payload[f], (size_t)frame_size, NULL, NULL);
    if (zmq_msg_send(&m, sock, f + 1 < frames ? ZMQ_SNDMORE : 0) < 0) fail("zmq_msg_send");
  }
}

static void recv_one(void) {
  zmq_msg_t m;
  zmq_msg_init(&m);
  int more = 1, n = 0;
  for (; more; n++) {
    if (zmq_msg_recv(&m, sock, 0) < 0) fail("zmq_msg_recv");
    if (zmq_msg_size(&m) != (size_t)frame_size) fail_shape("received a frame of", (long)zmq_msg_size(&m), frame_size);
    more = zmq_msg_more(&m);
  }
  if (n != frames) fail_shape("frames received:", n, frames);
  zmq_msg_close(&m);
}

// Of a check: message i.
static void send_check(int i) {
  for (int f = 0; f < frames; f++) {
    zmq_msg_t m;
    if (zmq_msg_init_size(&m, (size_t)frame_size) < 0) fail("zmq_msg_init_size");
    fill(zmq_msg_data(&m), i, f);
    if (zmq_msg_send(&m, sock, f + 1 < frames ? ZMQ_SNDMORE : 0) < 0) fail("zmq_msg_send");
  }
}

// Hashes a message, and sends it back if it is to be echoed.
static void recv_check(int echo) {
  zmq_msg_t m[MAX_FRAMES];
  int n = 0, more = 1;
  while (more) {
    if (n == MAX_FRAMES) fail_shape("frames received: more than", MAX_FRAMES, frames);
    zmq_msg_init(&m[n]);
    if (zmq_msg_recv(&m[n], sock, 0) < 0) fail("zmq_msg_recv");
    more = zmq_msg_more(&m[n++]);
  }
  hash_number((uint64_t)n);
  for (int f = 0; f < n; f++) {
    const unsigned char *b = zmq_msg_data(&m[f]);
    size_t length = zmq_msg_size(&m[f]);
    hash_number(length);
    for (size_t j = 0; j < length; j++) hash_byte(b[j]);
    if (!echo) {
      zmq_msg_close(&m[f]);
    } else if (zmq_msg_send(&m[f], sock, f + 1 < n ? ZMQ_SNDMORE : 0) < 0) {
      fail("zmq_msg_send");
    }
  }
}

static void check(long n) {
  hash = 14695981039346656037u;
  for (long i = 0; i < n; i++) {
    if (role == PUSH || role == PUB || role == REQ) send_check((int)i);
    if (role == PULL || role == SUB || role == REQ || role == REP) recv_check(role == REP);
  }
}

static void await_pipes(void) {
  char one;
  for (int i = 0; i < SUBSCRIBERS; i++)
    if (read(3 + i, &one, 1) != 1) fail("pipe");
}

static void publish(long n) {
  int quarter = window() / 4, ahead = 0;
  for (long left = n; left > 0;) {
    long k = left < quarter ? left : quarter;
    if (ahead == 4) await_pipes(), ahead--;
    for (long i = 0; i < k; i++) send_one();
    left -= k;
    if (k == quarter) ahead++;
  }
  for (; ahead > 0; ahead--) await_pipes();
}

static void follow(long n) {
  int quarter = window() / 4;
  char one = 1;
  for (long i = 1; i <= n; i++) {
    recv_one();
    if (i % quarter == 0 && write(3, &one, 1) != 1) fail("pipe");
  }
}

static void ask(long n) {
  int64_t last = now();
  for (long i = 0; i < n; i++) {
    send_one();
    recv_one();
    int64_t t = now();
    times[times_len++] = t - last;
    last = t;
  }
}

static void run(long n) {
  hash = 0;
  switch (role) {
    case PUSH:
      for (long i = 0; i < n; i++) send_one();
      break;
    case PULL:
      for (long i = 0; i < n; i++) recv_one();
      break;
    case REQ: ask(n); break;
    case REP:
      for (long i = 0; i < n; i++) recv_one(), send_one();
      break;
    case PUB: publish(n); break;
    case SUB: follow(n); break;
  }
}

static int by_number(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static int64_t percentile(int p) { return times_len == 0 ? 0 : times[times_len * p / 100]; }

static void expect(const char *verb) {
  char line[64];
  if (!fgets(line, sizeof line, stdin)) exit(0);
  if (strncmp(line, verb, strlen(verb)) != 0) {
    fprintf(stderr, "out of turn: %s", line);
    exit(1);
  }
}

static void turn(int checking, long n) {
  if (role == REQ && times_cap < n) {
    free(times);
    times = malloc((size_t)n * sizeof *times);
    times_cap = n;
    if (!times) fail("malloc");
  }
  times_len = 0;
  printf("ready\n");
  fflush(stdout);
  expect("go");
  int64_t begin = now();
  if (checking) {
    check(n);
  } else {
    run(n);
  }
  int64_t end = now();
  if (times_len > 0) qsort(times, (size_t)times_len, sizeof *times, by_number);
  printf("done %lld %lld %lld %lld %lld\n", (long long)begin, (long long)end, (long long)percentile(50),
         (long long)percentile(99), (long long)hash);
  fflush(stdout);
  expect("end");
  printf("ok -1 -1\n");
  fflush(stdout);
}

static void greet(const char *verb) {
  char text[9];
  snprintf(text, sizeof text, "%-8s", verb);
  if (role == PUB) {
    if (zmq_send(sock, text, 8, 0) < 0) fail("zmq_send");
  } else {
    for (;;) {
      char got[9] = {0};
      if (zmq_recv(sock, got, 8, 0) < 0) fail("zmq_recv");
      if (strcmp(got, text) == 0) break;
    }
  }
  printf("ok\n");
  fflush(stdout);
}

// Ends the process when its parent is gone, whatever it is waiting for.
static void *watch(void *unused) {
  struct pollfd p = {0, 0, 0};
  (void)unused;
  while (poll(&p, 1, -1) < 1 || !(p.revents & (POLLHUP | POLLERR))) continue;
  _exit(0);
}

static void set_int(int option, int value) {
  if (zmq_setsockopt(sock, option, &value, sizeof value) < 0) fail("zmq_setsockopt");
}

static void set_text(int option, const char *value) {
  if (zmq_setsockopt(sock, option, value, strlen(value)) < 0) fail("zmq_setsockopt");
}

int main(int argc, char **argv) {
  int major, minor, patch;
  zmq_version(&major, &minor, &patch);
  if (argc != 6) {
    fprintf(stderr, "usage: worker ROLE SIZE FRAMES null|curve ENDPOINT\n");
    return 1;
  }
  int known = 0;
  for (int i = 0; i < (int)(sizeof roles / sizeof *roles); i++)
    if (strcmp(argv[1], roles[i].name) == 0) role = (enum role)i, known = 1;
  size = atoi(argv[2]);
  frames = atoi(argv[3]);
  if (!known || size < 1 || frames < 1 || frames > MAX_FRAMES || size % frames != 0) {
    fprintf(stderr, "no such role and shape\n");
    return 1;
  }
  frame_size = size / frames;
  for (int f = 0; f < frames; f++) {
    payload[f] = malloc((size_t)frame_size);
    if (!payload[f]) fail("malloc");
    fill(payload[f], 0, f);
  }
  void *ctx = zmq_ctx_new();
  sock = zmq_socket(ctx, roles[role].type);
  if (!sock) fail("zmq_socket");
  set_int(ZMQ_SNDHWM, high_water());
  set_int(ZMQ_RCVHWM, high_water());
  if (strcmp(argv[4], "curve") == 0) {
    if (!zmq_has("curve")) {
      fprintf(stderr, "libzmq was built without CURVE\n");
      return 1;
    }
    if (roles[role].binds) {
      set_int(ZMQ_CURVE_SERVER, 1);
      set_text(ZMQ_CURVE_SECRETKEY, server_secret);
    } else {
      set_text(ZMQ_CURVE_SERVERKEY, server_public);
      set_text(ZMQ_CURVE_PUBLICKEY, client_public);
      set_text(ZMQ_CURVE_SECRETKEY, client_secret);
    }
  }
  if (role == SUB) set_text(ZMQ_SUBSCRIBE, "");
  if ((roles[role].binds ? zmq_bind : zmq_connect)(sock, argv[5]) < 0) fail(argv[5]);
  char endpoint[256];
  size_t length = sizeof endpoint;
  if (zmq_getsockopt(sock, ZMQ_LAST_ENDPOINT, endpoint, &length) < 0) fail("zmq_getsockopt");
  pthread_t watcher;
  if (pthread_create(&watcher, NULL, watch, NULL) != 0) fail("pthread_create");
  printf("open %s %d.%d.%d\n", endpoint, major, minor, patch);
  fflush(stdout);

  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    char verb[16] = "";
    long n = 0;
    sscanf(line, "%15s %ld", verb, &n);
    if (strcmp(verb, "run") == 0 || strcmp(verb, "check") == 0) {
      turn(verb[0] == 'c', n);
    } else if (strcmp(verb, "hello") == 0 || strcmp(verb, "last") == 0) {
      greet(verb);
    } else {
      fprintf(stderr, "out of turn: %s", line);
      return 1;
    }
  }
  return 0;
}
