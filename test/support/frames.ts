/** Frames as the driver of a card hands them out. */
import { type PlacedFrames, placeFrame } from '../../protocol/net.ts';

/** Frames in a byte string with gaps between them, like those of a ring. */
export function placed(frames: readonly Uint8Array[], gap = 4): PlacedFrames {
  const places: number[] = [];
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const frame of frames) {
    parts.push(Buffer.alloc(gap, 0xee), frame);
    placeFrame(places, at + gap, frame.length);
    at += gap + frame.length;
  }
  return { bytes: Buffer.concat(parts), places: Uint8Array.from(places) };
}
