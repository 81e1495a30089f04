/** The option `--fault`. */
import { describe, expect, it } from 'vitest';
import { parseFault } from '../../../hw/disk/fault-options.ts';

describe('the option --fault', () => {
  it.each([
    ['hda,read,error', { disk: 0, rule: { operation: 'read', kind: 'error' } }],
    ['hdb,flush,lost,times=2', { disk: 1, rule: { operation: 'flush', kind: 'lost', times: 2 } }],
    ['hdd,read,slow=20', { disk: 3, rule: { operation: 'read', kind: 'slow', nanoseconds: 20_000_000 } }],
    [
      'hdc,write,torn=3,first=8,last=15,skip=1',
      { disk: 2, rule: { operation: 'write', kind: 'torn', sectors: 3, first: 8, last: 15, skip: 1 } },
    ],
    ['hda,write,misdirected=8', { disk: 0, rule: { operation: 'write', kind: 'misdirected', offset: 8 } }],
  ])('%s', (text, fault) => expect(parseFault(text)).toEqual(fault));

  it.each([
    ['', /no disk ''/],
    ['hde,read,error', /no disk 'hde'/],
    ['hda,seek,error', /no operation 'seek'/],
    ['hda,read', /cannot be ''/],
    ['hda,read,lost', /a read cannot be 'lost'/],
    ['hda,flush,torn=1', /a flush cannot be 'torn'/],
    ['hda,read,error=5', /error takes no number/],
    ['hda,read,slow', /slow needs a whole number/],
    ['hda,read,slow=1e3', /slow needs a whole number/],
    ['hda,read,slow=600001', /at most 600000/],
    ['hda,read,error,times=-1', /times needs a whole number/],
    ['hda,read,error,times=1,times=2', /times is given twice/],
    ['hda,read,error,often=1', /'often' is none of/],
    ['hda,read,error,first=9,last=8', /last is before first/],
  ])('refuses %j', (text, message) => expect(() => parseFault(text)).toThrow(message));
});
