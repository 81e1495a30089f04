/*
 * Floor of a system call: two processes on a socket pair that send a message back and forth. No relay, no event loop.
 *
 * usage: ping-pong BYTES WARM-UP BATCHES CALLS     prints {"call":[microseconds a round trip, one number a batch]}
 *
 * Read: socketpair(2).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec * 1e-3;
}

static void transfer(ssize_t (*move)(int, char *, size_t), int descriptor, char *buffer, size_t bytes) {
  while (bytes > 0) {
    ssize_t count = move(descriptor, buffer, bytes);
    if (count <= 0) _exit(0);
    buffer += count;
    bytes -= count;
  }
}

static ssize_t take(int descriptor, char *buffer, size_t bytes) { return read(descriptor, buffer, bytes); }
static ssize_t give(int descriptor, char *buffer, size_t bytes) { return write(descriptor, buffer, bytes); }

static void call(int descriptor, char *buffer, size_t bytes, int times) {
  for (int i = 0; i < times; i++) {
    transfer(give, descriptor, buffer, bytes);
    transfer(take, descriptor, buffer, bytes);
  }
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  size_t bytes = strtoul(argv[1], NULL, 10);
  int warm_up = atoi(argv[2]), batches = atoi(argv[3]), calls = atoi(argv[4]);
  char *buffer = calloc(1, bytes);
  int pair[2];
  if (buffer == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 71;
  if (fork() == 0) {
    close(pair[0]);
    for (;;) {
      transfer(take, pair[1], buffer, bytes);
      transfer(give, pair[1], buffer, bytes);
    }
  }
  close(pair[1]);
  call(pair[0], buffer, bytes, warm_up);
  printf("{\"call\":[");
  for (int i = 0; i < batches; i++) {
    double before = microseconds();
    call(pair[0], buffer, bytes, calls);
    printf("%s%.3f", i == 0 ? "" : ",", (microseconds() - before) / calls);
  }
  printf("]}\n");
  return 0;
}
