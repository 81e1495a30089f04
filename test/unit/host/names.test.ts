/** What users write on the command line of `vros`: sizes, images with partitions, places. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePlace } from '../../../host/copy.ts';
import { UsageError } from '../../../host/errors.ts';
import { parseImageName } from '../../../host/image.ts';
import { formatSize, parseSize } from '../../../host/sizes.ts';

describe('sizes', () => {
  it('are read with and without a unit', () => {
    const sizes = [parseSize('512'), parseSize('64K'), parseSize('64M'), parseSize('1g'), parseSize('2TiB')];
    expect(sizes).toEqual([512, 65_536, 67_108_864, 1_073_741_824, 2_199_023_255_552]);
    for (const wrong of ['', '0', '-1', '1.5M', 'M', '64X', '99999999T'])
      expect(() => parseSize(wrong)).toThrow(UsageError);
  });

  it('are shown in a unit that fits', () => {
    const texts = [0, 1023, 1024, 1536, 67_108_864, 123_456_789_012].map(formatSize);
    expect(texts).toEqual(['0 bytes', '1023 bytes', '1 KiB', '1.5 KiB', '64 MiB', '115 GiB']);
  });
});

describe('names', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-names-'));
  const image = path.join(folder, 'disk.img');
  const odd = path.join(folder, 'odd@1');

  beforeAll(() => {
    for (const file of [image, odd, path.join(folder, 'a:b')]) fs.writeFileSync(file, '');
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  it('of images may have a partition, unless a file has that name', () => {
    expect(parseImageName(`${image}@2`)).toEqual({ file: image, partition: 2 });
    expect(parseImageName(image)).toEqual({ file: image, partition: null });
    expect(parseImageName(odd)).toEqual({ file: odd, partition: null });
    expect(parseImageName('x@y')).toEqual({ file: 'x@y', partition: null });
  });

  it('of places are those of the host unless an image stands before the colon', () => {
    expect(parsePlace(`${image}:/a/b`)).toMatchObject({ image, path: '/a/b' });
    expect(parsePlace(`${image}@2:a`)).toMatchObject({ image: `${image}@2`, path: 'a' });
    expect(parsePlace(`${image}:`)).toMatchObject({ image, path: '/' });
    expect(parsePlace(image)).toMatchObject({ image: '', path: image });
    expect(parsePlace(path.join(folder, 'a:b'))).toMatchObject({ image: '' });
    expect(parsePlace('nothing:/x')).toMatchObject({ image: '', path: 'nothing:/x' });
  });
});
