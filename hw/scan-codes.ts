/**
 * The scan codes of a 105-key PC keyboard in its three sets, and the controller's translation of set 2 into set 1.
 *
 * Read: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)", scan code sets 1 to 3, and
 * "Keyboard/Auxiliary Device Controller", scan code translation. A key is named here by its make code in set 1, with
 * 0xe000 added where it has the prefix E0. Set 2 is not in a table: it is the translation read backwards.
 */

/** A key of its own kind: what it sends does not follow from its code. */
export const KEY_PAUSE = 0xe11d;
export const KEY_PRINT_SCREEN = 0xe037;

const PREFIX_EXTENDED = 0xe0;
const PREFIX_PAUSE = 0xe1;
const PREFIX_RELEASE_SET_2 = 0xf0;
const RELEASE_SET_1 = 0x80;

/** Set 1 code of each set 2 code from 0x00 to 0x84, in hex; from 0x85 on the controller passes codes unchanged. */
const TRANSLATION = Buffer.from(
  [
    'ff43413f3d3b3c58644442403e0f295965382a701d10025a66712c1f1e11035b672e2d201205045c68392f21',
    '1413065d693130232215075e6a7232241608095f6b332517180b0a606c34352627190c616d7328741a0d626e',
    '3a361c1b752b637655567778797a0e7b7c4f7d4b477e7f6f5253504c4d480145574e514a3749465480818241',
    '54',
  ].join(''),
  'hex',
);

/** Set 3 code of each set 1 code from 0x00 to 0x58 without prefix, in hex; 00 is no key. */
const SET_3 = Buffer.from(
  [
    '0008161e26252e363d3e46454e55660d151d242d2c353c43444d545b5a111c1b232b34333b424b4c520e125c',
    '1a22212a32313a41494a597e192914070f171f272f373f474f765f6c757d846b73747c69727a707100001356',
    '5e',
  ].join(''),
  'hex',
);

/** Set 3 codes of the keys with a prefix. */
const SET_3_EXTENDED = new Map<number, number>([
  [0xe01c, 0x79],
  [0xe01d, 0x58],
  [0xe035, 0x77],
  [KEY_PRINT_SCREEN, 0x57],
  [0xe038, 0x39],
  [0xe047, 0x6e],
  [0xe048, 0x63],
  [0xe049, 0x6f],
  [0xe04b, 0x61],
  [0xe04d, 0x6a],
  [0xe04f, 0x65],
  [0xe050, 0x60],
  [0xe051, 0x6d],
  [0xe052, 0x67],
  [0xe053, 0x64],
  [0xe05b, 0x8b],
  [0xe05c, 0x8c],
  [0xe05d, 0x8d],
  [KEY_PAUSE, 0x62],
]);

const SET_2_BY_SET_1 = new Map<number, number>();
for (const [set2, set1] of TRANSLATION.entries()) {
  // 0x02 and 0x7f are on no keyboard: two keys of set 1 have a set 2 code of their own, further up.
  if (set2 !== 0x00) SET_2_BY_SET_1.set(set1, set2);
}

/**
 * What the controller makes of a byte of the keyboard, in its translating mode; the prefix F0 is not for this table.
 */
export function translate(byte: number): number {
  return TRANSLATION[byte] ?? byte;
}

/** Which of the modifier keys are held, as far as they matter for what other keys send. */
export interface Modifiers {
  readonly control: boolean;
  readonly shift: boolean;
  readonly alternate: boolean;
}

/** The code of a key in set 3, or undefined when the keyboard has no such key. */
export function set3Code(key: number): number | undefined {
  return key > 0xff ? SET_3_EXTENDED.get(key) : SET_3[key] || undefined;
}

/** The bytes that pressing or releasing a key sends, in set 1 or 2. Pause sends all it has when it is pressed. */
export function scanCodes(set: 1 | 2, key: number, pressed: boolean, modifiers: Modifiers): number[] {
  const make = strokes(key, modifiers);
  if (key === KEY_PAUSE) return pressed ? [...encode(set, make, true), ...encode(set, make, false)] : [];
  // What stands around a key (a shift that is not there) is undone in reverse order.
  return encode(set, pressed ? make : make.toReversed(), pressed);
}

/** The keys, in terms of set 1, that the keyboard says are pressed when one key is. */
function strokes(key: number, modifiers: Modifiers): number[][] {
  switch (key) {
    case KEY_PAUSE:
      return modifiers.control ? [[PREFIX_EXTENDED, 0x46]] : [[PREFIX_PAUSE, 0x1d, 0x45]];
    case KEY_PRINT_SCREEN:
      if (modifiers.alternate) return [[0x54]];
      if (modifiers.shift || modifiers.control) return [[PREFIX_EXTENDED, 0x37]];
      return [
        [PREFIX_EXTENDED, 0x2a],
        [PREFIX_EXTENDED, 0x37],
      ];
    default:
      return [key > 0xff ? [key >> 8, key & 0xff] : [key]];
  }
}

function encode(set: 1 | 2, strokesOfKey: readonly number[][], pressed: boolean): number[] {
  return strokesOfKey.flat().flatMap((code) => {
    if (code === PREFIX_EXTENDED || code === PREFIX_PAUSE) return [code];
    if (set === 1) return [pressed ? code : code | RELEASE_SET_1];
    const set2 = SET_2_BY_SET_1.get(code) ?? code;
    return pressed ? [set2] : [PREFIX_RELEASE_SET_2, set2];
  });
}
