#!/bin/sh
# Prepares a TAP device for `--netdev tap,ifname=NAME`, so that an ordinary user can open it. Needs root, once.
#
#   npm run tap-setup                       vros0, for whoever runs sudo, 10.0.3.1/24 on the host's side
#   npm run tap-setup -- NAME USER ADDRESS  another name, user, address
#   npm run tap-setup -- --remove NAME
#
# The device lasts until the host is started anew. Nothing is forwarded: the machine reaches the host, and what the host
# lets it.
set -eu

if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo 'tap-setup: needs root, and there is no sudo' >&2; exit 1; }
  exec sudo sh "$0" "$@"
fi
command -v ip >/dev/null || { echo 'tap-setup: needs the command ip (package iproute2)' >&2; exit 1; }

if [ "${1:-}" = --remove ]; then
  ip tuntap del dev "${2:-vros0}" mode tap
  exit
fi

name=${1:-vros0}
user=${2:-${SUDO_USER:-root}}
address=${3:-10.0.3.1/24}
[ -c /dev/net/tun ] || { mkdir -p /dev/net && mknod /dev/net/tun c 10 200; }
# Who may attach to a device is up to its owner; the clone device itself is for everybody.
chmod 0666 /dev/net/tun
ip tuntap add dev "$name" mode tap user "$user"
ip address add "$address" dev "$name"
ip link set dev "$name" up
echo "$name is ready for $user: npm start -- --netdev tap,ifname=$name; the host is ${address%/*}"
