/* A peer with libzmq, told line by line what to do. See peer_test.go. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { MAX_WORDS = 64, MAX_SOCKETS = 1024, LISTED = 1024, PERIOD = 251 };

static struct {
    char *name;
    void *socket;
} socks[MAX_SOCKETS];

static const struct {
    const char *name;
    int value;
} types[] = {
    {"PAIR", ZMQ_PAIR}, {"PUB", ZMQ_PUB},       {"SUB", ZMQ_SUB},       {"REQ", ZMQ_REQ},   {"REP", ZMQ_REP},   {"DEALER", ZMQ_DEALER},
    {"XPUB", ZMQ_XPUB}, {"ROUTER", ZMQ_ROUTER}, {"PULL", ZMQ_PULL},     {"PUSH", ZMQ_PUSH}, {"XSUB", ZMQ_XSUB},
}, options[] = {
    {"ROUTING_ID", ZMQ_ROUTING_ID}, {"SUBSCRIBE", ZMQ_SUBSCRIBE}, {"UNSUBSCRIBE", ZMQ_UNSUBSCRIBE},
    {"SNDHWM", ZMQ_SNDHWM}, {"RCVHWM", ZMQ_RCVHWM}, {"SNDTIMEO", ZMQ_SNDTIMEO}, {"RCVTIMEO", ZMQ_RCVTIMEO},
    {"LINGER", ZMQ_LINGER}, {"ROUTER_MANDATORY", ZMQ_ROUTER_MANDATORY}, {"RECONNECT_IVL", ZMQ_RECONNECT_IVL},
    {"XPUB_VERBOSE", ZMQ_XPUB_VERBOSE}, {"IMMEDIATE", ZMQ_IMMEDIATE}, {"XPUB_NODROP", ZMQ_XPUB_NODROP},
    {"ROUTER_HANDOVER", ZMQ_ROUTER_HANDOVER}, {"REQ_RELAXED", ZMQ_REQ_RELAXED}, {"REQ_CORRELATE", ZMQ_REQ_CORRELATE},
    {"HEARTBEAT_IVL", ZMQ_HEARTBEAT_IVL}, {"HEARTBEAT_TIMEOUT", ZMQ_HEARTBEAT_TIMEOUT},
};

#define LOOKUP(table, key) lookup(&table[0].name, sizeof table / sizeof table[0], sizeof table[0], key)

static int lookup(const char *const *first, size_t n, size_t step, const char *key) {
    for (size_t i = 0; i < n; i++) {
        const char *entry = (const char *)first + i * step;
        if (strcmp(*(const char *const *)entry, key) == 0) {
            int value;
            memcpy(&value, entry + sizeof(char *), sizeof value);
            return value;
        }
    }
    return -1;
}

static uint32_t crc_table[256];

static uint32_t crc32(const uint8_t *p, size_t n) {
    uint32_t c = 0xffffffff;
    while (n--) c = crc_table[(c ^ *p++) & 0xff] ^ c >> 8;
    return ~c;
}

static void fail(const char *what) {
    switch (errno) {
    case EAGAIN: what = "EAGAIN"; break;
    case EHOSTUNREACH: what = "EHOSTUNREACH"; break;
    case EFSM: what = "EFSM"; break;
    case EINVAL: break;
    default: what = zmq_strerror(errno);
    }
    printf("error %s\n", what);
}

static int init_frame(zmq_msg_t *m, const char *word) {
    if (word[0] == '-') return zmq_msg_init(m);
    if (word[0] == '#') {
        size_t size = strtoull(word + 1, NULL, 10);
        unsigned seed = strtoul(strchr(word, ':') + 1, NULL, 10);
        if (zmq_msg_init_size(m, size) != 0) return -1;
        uint8_t *p = zmq_msg_data(m);
        for (size_t i = 0; i < size; i++) p[i] = (seed + i) % PERIOD;
        return 0;
    }
    size_t size = strlen(word) / 2;
    if (zmq_msg_init_size(m, size) != 0) return -1;
    uint8_t *p = zmq_msg_data(m);
    for (size_t i = 0; i < size; i++) {
        char digits[3] = {word[2 * i], word[2 * i + 1], 0};
        p[i] = strtoul(digits, NULL, 16);
    }
    return 0;
}

static int send_frame(void *s, const char *word, int flags) {
    zmq_msg_t m;
    if (init_frame(&m, word) != 0) return -1;
    if (zmq_msg_send(&m, s, flags) < 0) {
        int e = errno;
        zmq_msg_close(&m);
        errno = e;
        return -1;
    }
    return 0;
}

/* If the peer is lost before the last frame, that message is lost, and with it the
   frames up to the last. */
static int send_all(void *s, char **words, int n, int flags) {
    int r = 0, e = 0;
    for (int i = 0; i < n; i++)
        if (send_frame(s, words[i], flags | (i + 1 < n ? ZMQ_SNDMORE : 0)) != 0) {
            r = -1, e = errno;
            if (i == 0) break;
        }
    errno = e;
    return r;
}

static int recv_all(void *s, const char *begin, int flags) {
    int more = 1;
    for (int first = 1; more; first = 0) {
        zmq_msg_t m;
        zmq_msg_init(&m);
        if (zmq_msg_recv(&m, s, first ? flags : 0) < 0) return -1;
        if (first) printf("%s", begin);
        const uint8_t *p = zmq_msg_data(&m);
        size_t n = zmq_msg_size(&m);
        if (n == 0) printf(" -");
        else if (n > LISTED) printf(" =%zu:%08" PRIx32, n, crc32(p, n));
        else {
            putchar(' ');
            for (size_t i = 0; i < n; i++) printf("%02x", p[i]);
        }
        more = zmq_msg_more(&m);
        zmq_msg_close(&m);
    }
    return 0;
}

/* expect_frame receives a frame that has to be this one. */
static int expect_frame(void *s, const char *word, int more) {
    zmq_msg_t want, got;
    if (init_frame(&want, word) != 0) return -1;
    zmq_msg_init(&got);
    int r = zmq_msg_recv(&got, s, 0) < 0 ? -1 : 0, e = errno;
    if (r == 0 && (zmq_msg_size(&got) != zmq_msg_size(&want) || zmq_msg_more(&got) != more ||
                   memcmp(zmq_msg_data(&got), zmq_msg_data(&want), zmq_msg_size(&want)) != 0))
        r = -1, e = EPROTO;
    zmq_msg_close(&got);
    zmq_msg_close(&want);
    errno = e;
    return r;
}

/* digits writes how the messages of a sequence begin. */
static void digits(char number[17], long k) {
    char text[9];
    snprintf(text, sizeof text, "%08ld", k % 100000000);
    for (int d = 0; d < 8; d++) snprintf(number + 2 * d, 3, "%02x", text[d]);
}

static int set(void *s, const char *name, const char *value) {
    int option = LOOKUP(options, name);
    if (option < 0) return errno = EINVAL, -1;
    if (strncmp(value, "int:", 4) == 0) {
        int v = atoi(value + 4);
        return zmq_setsockopt(s, option, &v, sizeof v);
    }
    zmq_msg_t m;
    if (init_frame(&m, value + 4) != 0) return -1;
    int r = zmq_setsockopt(s, option, zmq_msg_data(&m), zmq_msg_size(&m));
    int e = errno;
    zmq_msg_close(&m);
    errno = e;
    return r;
}

static int find(const char *name) {
    for (int i = 0; i < MAX_SOCKETS; i++)
        if (socks[i].name && strcmp(socks[i].name, name) == 0) return i;
    return -1;
}

static int open_socket(void *ctx, const char *name, const char *type) {
    for (int i = 0; i < MAX_SOCKETS; i++) {
        if (socks[i].name) continue;
        void *s = zmq_socket(ctx, LOOKUP(types, type));
        if (!s) return -1;
        int linger = 0, patience = 30000;
        zmq_setsockopt(s, ZMQ_LINGER, &linger, sizeof linger);
        zmq_setsockopt(s, ZMQ_RCVTIMEO, &patience, sizeof patience);
        zmq_setsockopt(s, ZMQ_SNDTIMEO, &patience, sizeof patience);
        socks[i].name = strdup(name);
        socks[i].socket = s;
        return 0;
    }
    return errno = EMFILE, -1;
}

/* run does one order and prints its outcome, unless it failed. */
static int run(void *ctx, char **w, int n) {
    if (n == 1 && strcmp(w[0], "version") == 0) {
        int major, minor, patch;
        zmq_version(&major, &minor, &patch);
        printf("ok %d.%d.%d\n", major, minor, patch);
        return 0;
    }
    if (n == 1 && strcmp(w[0], "state") == 0) {
        printf("ok");
        for (int i = 0; i < MAX_SOCKETS; i++) {
            int type = 0, events = 0;
            size_t size = sizeof type;
            if (!socks[i].name || zmq_getsockopt(socks[i].socket, ZMQ_TYPE, &type, &size) != 0 ||
                zmq_getsockopt(socks[i].socket, ZMQ_EVENTS, &events, &size) != 0)
                continue;
            const char *name = "";
            for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
                if (types[k].value == type) name = types[k].name;
            printf(" %s:%s%s%s", socks[i].name, name, events & ZMQ_POLLIN ? ":in" : "", events & ZMQ_POLLOUT ? ":out" : "");
        }
        putchar('\n');
        return 0;
    }
    if (n < 2) return errno = EINVAL, -1;
    if (strcmp(w[0], "new") == 0 && n == 3) {
        if (open_socket(ctx, w[1], w[2]) != 0) return -1;
        puts("ok");
        return 0;
    }
    int i = find(w[1]);
    if (i < 0) return errno = EINVAL, -1;
    void *s = socks[i].socket;
    if (strcmp(w[0], "bind") == 0 && n == 3) {
        char actual[512];
        size_t size = sizeof actual;
        if (zmq_bind(s, w[2]) != 0 || zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, actual, &size) != 0) return -1;
        printf("ok %s\n", actual);
        return 0;
    }
    if (strcmp(w[0], "recv") == 0) {
        if (recv_all(s, "ok", 0) != 0) return -1;
        putchar('\n');
        return 0;
    }
    if (strcmp(w[0], "tryrecv") == 0 && n == 3) {
        int count = atoi(w[2]);
        printf("ok");
        while (count-- > 0 && recv_all(s, " ;", ZMQ_DONTWAIT) == 0) continue;
        putchar('\n');
        return 0;
    }
    if (strcmp(w[0], "poll") == 0 && n == 3) {
        zmq_pollitem_t item = {s, 0, ZMQ_POLLIN, 0};
        int r = zmq_poll(&item, 1, atol(w[2]));
        if (r < 0) return -1;
        printf("ok %d\n", r);
        return 0;
    }
    int r = -1;
    errno = EINVAL;
    if (strcmp(w[0], "set") == 0 && n == 4) r = set(s, w[2], w[3]);
    else if (strcmp(w[0], "connect") == 0 && n == 3) r = zmq_connect(s, w[2]);
    else if (strcmp(w[0], "disconnect") == 0 && n == 3) r = zmq_disconnect(s, w[2]);
    else if (strcmp(w[0], "unbind") == 0 && n == 3) r = zmq_unbind(s, w[2]);
    else if (strcmp(w[0], "send") == 0) r = send_all(s, w + 2, n - 2, 0);
    else if (strcmp(w[0], "trysend") == 0) r = send_all(s, w + 2, n - 2, ZMQ_DONTWAIT);
    else if (strcmp(w[0], "flood") == 0 && n > 3) {
        long count = atol(w[2]);
        char number[17];
        for (long k = r = 0; k < count && r == 0; k++) {
            digits(number, k);
            if ((r = send_frame(s, number, ZMQ_SNDMORE)) == 0) r = send_all(s, w + 3, n - 3, 0);
        }
    } else if (strcmp(w[0], "drain") == 0 && n > 3) {
        long count = atol(w[2]);
        char number[17];
        for (long k = r = 0; k < count && r == 0; k++) {
            digits(number, k);
            r = expect_frame(s, number, 1);
            for (int i = 3; i < n && r == 0; i++) r = expect_frame(s, w[i], i + 1 < n);
        }
    } else if (strcmp(w[0], "close") == 0) {
        r = zmq_close(s);
        free(socks[i].name);
        socks[i].name = NULL;
    }
    if (r == 0) puts("ok");
    return r;
}

int main(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
        crc_table[i] = c;
    }
    void *ctx = zmq_ctx_new();
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        char *words[MAX_WORDS];
        int n = 0;
        for (char *w = strtok(line, " \n"); w && n < MAX_WORDS; w = strtok(NULL, " \n")) words[n++] = w;
        if (run(ctx, words, n) != 0) fail(n > 0 ? words[0] : "empty line");
        fflush(stdout);
    }
    free(line);
    for (int i = 0; i < MAX_SOCKETS; i++)
        if (socks[i].name) {
            zmq_close(socks[i].socket);
            free(socks[i].name);
        }
    zmq_ctx_term(ctx);
    return 0;
}
