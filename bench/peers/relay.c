/*
 * Floor of a call between two services: the same four hops in C. Two blocking children, each on one end of a socket pair, and a parent that waits with
 * epoll and relays whole messages: client, parent, server, parent, client.
 *
 * usage: relay BYTES WARM-UP BATCHES CALLS     prints {"rpc":[microseconds a call, one number a batch]}
 *
 * Read: socketpair(2), epoll(7).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e6 + now.tv_nsec * 1e-3;
}

/* The other end is gone, or this end is to end with it. */
static void read_all(int descriptor, char *buffer, size_t bytes) {
  while (bytes > 0) {
    ssize_t count = read(descriptor, buffer, bytes);
    if (count <= 0) _exit(0);
    buffer += count;
    bytes -= count;
  }
}

static void write_all(int descriptor, const char *buffer, size_t bytes) {
  while (bytes > 0) {
    ssize_t count = write(descriptor, buffer, bytes);
    if (count <= 0) _exit(0);
    buffer += count;
    bytes -= count;
  }
}

static void serve(int descriptor, char *buffer, size_t bytes) {
  for (;;) {
    read_all(descriptor, buffer, bytes);
    write_all(descriptor, buffer, bytes);
  }
}

static void call(int descriptor, char *buffer, size_t bytes, int times) {
  for (int i = 0; i < times; i++) {
    write_all(descriptor, buffer, bytes);
    read_all(descriptor, buffer, bytes);
  }
}

static void measure(int descriptor, char *buffer, size_t bytes, int warm_up, int batches, int calls) {
  call(descriptor, buffer, bytes, warm_up);
  printf("{\"rpc\":[");
  for (int i = 0; i < batches; i++) {
    double before = microseconds();
    call(descriptor, buffer, bytes, calls);
    printf("%s%.3f", i == 0 ? "" : ",", (microseconds() - before) / calls);
  }
  printf("]}\n");
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc != 5) return 64;
  size_t bytes = strtoul(argv[1], NULL, 10);
  int warm_up = atoi(argv[2]), batches = atoi(argv[3]), calls = atoi(argv[4]);
  char *buffer = calloc(1, bytes);
  int pairs[2][2];
  for (int i = 0; i < 2; i++)
    if (buffer == NULL || socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]) != 0) return 71;
  for (int child = 0; child < 2; child++) {
    if (fork() != 0) continue;
    for (int i = 0; i < 2; i++) {
      close(pairs[i][0]);
      if (i != child) close(pairs[i][1]);
    }
    if (child == 1) serve(pairs[1][1], buffer, bytes);
    measure(pairs[0][1], buffer, bytes, warm_up, batches, calls);
    _exit(0);
  }
  int poller = epoll_create1(0);
  for (int i = 0; i < 2; i++) {
    close(pairs[i][1]);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(poller, EPOLL_CTL_ADD, pairs[i][0], &event);
  }
  for (;;) {
    struct epoll_event events[2];
    int ready = epoll_wait(poller, events, 2, -1);
    for (int i = 0; i < ready; i++) {
      int from = events[i].data.u32;
      read_all(pairs[from][0], buffer, bytes);
      write_all(pairs[1 - from][0], buffer, bytes);
    }
  }
}
