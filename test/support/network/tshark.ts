/**
 * What Wireshark's dissectors say of a recording: a judge of other makers over every frame that our side has sent.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { framesIn, segmentIn } from './recording.ts';
import { breachesOf } from './tcp-rules.ts';

const run = promisify(execFile);
const OUTPUT_LIMIT = 64 * 1024 * 1024;

/**
 * Checksums are checked, and analysis of TCP is on. Segments are judged, and not what protocols above would make of
 * them together: of some hundred megabytes that takes a minute.
 */
const options = [
  'ip.check_checksum:TRUE',
  'tcp.check_checksum:TRUE',
  'udp.check_checksum:TRUE',
  'tcp.analyze_sequence_numbers:TRUE',
  'tcp.desegment_tcp_streams:FALSE',
].flatMap((option) => ['-o', option]);

/** What no sender may send, whatever the cable does. What an error message of ICMP quotes is not its sender's. */
const ALWAYS_WRONG = [
  '!(icmp.type in {3, 11, 12}) && (_ws.malformed || _ws.expert.group == "Malformed" || _ws.expert.severity == "Error")',
  'ip.checksum.status == "Bad"',
  'tcp.checksum.status == "Bad"',
  'udp.checksum.status == "Bad"',
  'icmp.checksum.status == "Bad"',
];

/**
 * What a sender has no reason for on a cable that loses nothing: gaps, acknowledgements of what has not been sent,
 * sending the same again and again.
 */
const WRONG_ON_A_CLEAN_CABLE = [
  'tcp.analysis.lost_segment',
  'tcp.analysis.ack_lost_segment',
  'tcp.analysis.out_of_order',
  'arp.duplicate-address-detected',
];

/** The frames that match a display filter, a line for each: number, time, and what tshark says of it. */
export async function framesOf(file: string, filter: string, most = 1_000_000): Promise<string[]> {
  const { stdout } = await run('tshark', ['-n', '-r', file, ...options, '-Y', filter], { maxBuffer: OUTPUT_LIMIT });
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, most);
}

/**
 * Segments with data of a sender: how many there are, and those that repeat something, but for probes of a shut window,
 * each as tshark tells of it.
 */
export async function repetitionsOf(file: string, sender: string): Promise<{ segments: number; repeated: string[] }> {
  const address = Buffer.from(sender.replaceAll(':', ''), 'hex');
  let segments = 0;
  for (const frame of framesIn(file)) {
    if (frame.bytes.subarray(6, 12).equals(address) && (segmentIn(frame)?.length ?? 0) > 0) segments++;
  }
  const again = 'tcp.len > 0 && tcp.analysis.retransmission && !tcp.analysis.zero_window_probe';
  return { segments, repeated: await framesOf(file, `eth.src == ${sender} && ${again}`) };
}

/**
 * Frames that a sender should not have sent, by Wireshark's dissectors and by the rules of tcp-rules.ts. What the cable
 * was: `clean`, it has lost, repeated and reordered nothing, and every segment belongs to a connection; `rough`; or
 * `disturbed`, when besides the sender may have forgotten whom it has asked by ARP.
 */
export async function violationsOf(
  file: string,
  sender: string,
  cable: 'clean' | 'rough' | 'disturbed',
): Promise<string[]> {
  const breaches = breachesOf(file, sender, cable !== 'disturbed');
  return [...breaches, ...(await findingsOf(file, sender, cable === 'clean'))];
}

function findingsOf(file: string, sender: string, clean: boolean): Promise<string[]> {
  const rules = clean ? [...ALWAYS_WRONG, ...WRONG_ON_A_CLEAN_CABLE] : ALWAYS_WRONG;
  return framesOf(file, `eth.src == ${sender} && (${rules.map((rule) => `(${rule})`).join(' || ')})`, 20);
}
