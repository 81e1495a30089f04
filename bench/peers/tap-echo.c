// The floor for a host on a TAP device: answers ARP for any address, and ping, with one read and one write a frame.
// usage: tap-echo INTERFACE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ARP_OPERATION = 21, ARP_SENDER = 22, ARP_SENDER_IP = 28, ARP_TARGET = 32, ARP_TARGET_IP = 38 };
enum { IP_PROTOCOL = 23, IP_SOURCE = 26, IP_DESTINATION = 30, ICMP_TYPE = 34, ICMP_CHECKSUM = 36 };

static unsigned char frame[65536];

static void swap(unsigned char *a, unsigned char *b, int length) {
  unsigned char kept[6];
  memcpy(kept, a, length);
  memcpy(a, b, length);
  memcpy(b, kept, length);
}

int main(int count, char **words) {
  static const unsigned char hardware[6] = {2, 0, 0, 0, 0, 9};
  struct ifreq request = {0};
  int device = open("/dev/net/tun", O_RDWR);
  if (count != 2 || device < 0) return 64;
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  strncpy(request.ifr_name, words[1], IFNAMSIZ - 1);
  if (ioctl(device, TUNSETIFF, &request) < 0) {
    perror(words[1]);
    return 66;
  }
  for (;;) {
    int length = read(device, frame, sizeof frame);
    if (length < 42) continue;
    swap(frame, frame + 6, 6);
    if (frame[12] == 8 && frame[13] == 6 && frame[ARP_OPERATION] == 1) {
      unsigned char asked[4];
      memcpy(asked, frame + ARP_TARGET_IP, 4);
      frame[ARP_OPERATION] = 2;
      memcpy(frame + ARP_TARGET, frame + ARP_SENDER, 10);
      memcpy(frame + ARP_SENDER, hardware, 6);
      memcpy(frame + ARP_SENDER_IP, asked, 4);
      memcpy(frame + 6, hardware, 6);
    } else if (frame[12] == 8 && frame[13] == 0 && frame[IP_PROTOCOL] == 1 && frame[ICMP_TYPE] == 8) {
      // Type 8 becomes 0, so the checksum, a sum of complements, grows by 8 in its first byte.
      unsigned sum = (frame[ICMP_CHECKSUM] << 8 | frame[ICMP_CHECKSUM + 1]) + 0x0800;
      sum = (sum & 0xffff) + (sum >> 16);
      swap(frame + IP_SOURCE, frame + IP_DESTINATION, 4);
      frame[ICMP_TYPE] = 0;
      frame[ICMP_CHECKSUM] = sum >> 8;
      frame[ICMP_CHECKSUM + 1] = sum;
    } else {
      continue;
    }
    if (write(device, frame, length) < 0) perror("write");
  }
}
