/**
 * File systems against the host's as the model: the same random operations, the same answers. VROS_TEST_SEED repeats a
 * run.
 */
import { describe, expect, it } from 'vitest';
import { compareWithHost } from '../../support/filesystem/host-comparison.ts';
import { ModelFileSystem } from '../../support/filesystem/model.ts';
import { ext2Subject, ramSubject, type Subject, vrfsSubject } from '../../support/filesystem/subjects.ts';
import { wholeTree } from '../../support/filesystem/tree.ts';
import { Random } from '../../support/random.ts';

/** The model used elsewhere has to stand the comparison as well. It does not survive, so it is never mounted anew. */
function modelSubject(): Subject {
  let model: ModelFileSystem | null = null;
  return {
    ...{ name: 'the model', format: null, hasLinks: true, tree: wholeTree },
    prepare: () => {
      model = null;
    },
    mount: ({ clock }) => {
      model ??= new ModelFileSystem(clock.now);
      return model;
    },
  };
}

describe('answers as the file system of the host does', () => {
  const { seed } = new Random();
  for (const subject of [modelSubject(), ramSubject(), vrfsSubject, ext2Subject]) {
    it(`${subject.name}, 10,000 random operations (seed ${seed})`, () => {
      const { steps, answers } = compareWithHost({ subject, diskBytes: 16 * 1024 * 1024, steps: 10_000, seed });
      expect(steps).toBeGreaterThanOrEqual(10_000);
      // The steps have to meet one another, or nothing is compared.
      for (const answer of ['rename', 'rename EINVAL', 'rename ENOTEMPTY', 'unlink', 'rmdir', 'link', 'slot-write']) {
        expect(answers.get(answer), `${answer}, seed ${seed}`).toBeGreaterThan(10);
      }
    }, 120_000);
  }
});
