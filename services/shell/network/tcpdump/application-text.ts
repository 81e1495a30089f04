/** What is in datagrams, as tcpdump tells it: DNS (RFC 1035, 4) and DHCP (RFC 2131). */

import { formatIpv4 } from '../../../../wire/address.ts';
import { DHCP_OPTION, parseDhcp } from '../../../../wire/dhcp.ts';
import { visibleText } from '../../width.ts';
import { formatHardware } from '../addresses.ts';

const DNS_HEADER_BYTES = 12;
const MAX_LABELS = 64;
/** Answers that are shown. */
const MAX_SHOWN = 4;

const recordTypes: Readonly<Record<number, string>> = {
  ...{ 1: 'A', 2: 'NS', 5: 'CNAME', 6: 'SOA', 12: 'PTR', 15: 'MX', 16: 'TXT', 28: 'AAAA', 33: 'SRV', 255: 'ANY' },
};
const responseCodes = ['', ' FormErr', ' ServFail', ' NXDomain', ' NotImp', ' Refused'];

/** A name at an offset, and where it ends there. Null when it is broken. */
function readName(message: Buffer, start: number): { name: string; end: number } | null {
  const labels: string[] = [];
  let end: number | null = null;
  let at = start;
  for (let count = 0; count < MAX_LABELS; count += 1) {
    const length = message[at];
    if (length === undefined) return null;
    if (length === 0) return { name: `${labels.join('.')}.`, end: end ?? at + 1 };
    if (length >= 0xc0) {
      const low = message[at + 1];
      if (low === undefined) return null;
      end ??= at + 2;
      at = ((length & 0x3f) << 8) | low;
      continue;
    }
    if (length > 63 || at + 1 + length > message.length) return null;
    labels.push(visibleText(message.toString('latin1', at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return null;
}

function answerTexts(message: Buffer, count: number, start: number): string[] {
  const texts: string[] = [];
  let at = start;
  for (let index = 0; index < Math.min(count, MAX_SHOWN); index += 1) {
    const name = readName(message, at);
    if (name === null || name.end + 10 > message.length) break;
    const type = message.readUInt16BE(name.end);
    const data = name.end + 10;
    const length = message.readUInt16BE(name.end + 8);
    if (data + length > message.length) break;
    const title = recordTypes[type] ?? `Type${type}`;
    const host = [2, 5, 12].includes(type) ? (readName(message, data)?.name ?? '') : '';
    const text = type === 1 && length === 4 ? formatIpv4(message.readUInt32BE(data)) : host;
    texts.push(text === '' ? title : `${title} ${text}`);
    at = data + length;
  }
  return texts;
}

/** `12+ A? example.com. (29)`, `12 1/0/0 A 10.0.0.1 (45)`. */
export function dnsText(message: Buffer, length: number): string {
  if (message.length < DNS_HEADER_BYTES) return `domain, length ${length}`;
  const identifier = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  const [questions = 0, answers = 0, authorities = 0, additional = 0] = [4, 6, 8, 10].map((at) =>
    message.readUInt16BE(at),
  );
  const question = questions > 0 ? readName(message, DNS_HEADER_BYTES) : null;
  const behind = question === null ? DNS_HEADER_BYTES : question.end + 4;
  if ((flags & 0x8000) === 0) {
    const type = question !== null && behind <= message.length ? message.readUInt16BE(question.end) : 0;
    const asked = question === null ? '' : ` ${recordTypes[type] ?? `Type${type}`}? ${question.name}`;
    return `${identifier}${(flags & 0x0100) === 0 ? '' : '+'}${asked} (${length})`;
  }
  const code = flags & 0x0f;
  const shown = answerTexts(message, answers, behind);
  const marks = `${(flags & 0x0400) === 0 ? '' : '*'}${(flags & 0x0080) === 0 ? '-' : ''}${(flags & 0x0200) === 0 ? '' : '|'}`;
  const counts = `${answers}/${authorities}/${additional}`;
  const list = shown.length === 0 ? '' : ` ${shown.join(', ')}`;
  return `${identifier}${responseCodes[code] ?? ` Resp${code}`}${marks} ${counts}${list} (${length})`;
}

const messageTypes = ['', 'Discover', 'Offer', 'Request', 'Decline', 'ACK', 'NACK', 'Release', 'Inform'];

/** `BOOTP/DHCP, Request from 52:54:00:12:34:56, length 300, Discover`. */
export function dhcpText(bytes: Buffer, length: number): string {
  const message = parseDhcp(bytes);
  if (message === null) return `BOOTP/DHCP, length ${length}`;
  const type = messageTypes[message.options.get(DHCP_OPTION.MESSAGE_TYPE)?.[0] ?? 0] ?? '';
  const kind = message.operation === 1 ? `Request from ${formatHardware(message.clientLink)}` : 'Reply';
  const given = message.yourAddress === 0 ? '' : `, Your-IP ${formatIpv4(message.yourAddress)}`;
  return `BOOTP/DHCP, ${kind}, length ${length}${type === '' ? '' : `, ${type}`}${given}`;
}
