import { describe, expect, it } from 'vitest';

import { ago, mirror, overview, repository } from '../../testing/fake';
import { Merge } from './merge';

const two = () => [mirror(), mirror({ id: 'mirror-2' })];

describe('a new reading of status', () => {
  it('leaves what is the same as it is', () => {
    const merge = new Merge();
    const old = merge.into(null, overview([repository(two())]));
    const [report] = old.repositories;
    const [one, other] = report!.mirrors;
    const read = overview([repository([mirror({ status: 'failed' }), mirror({ id: 'mirror-2' })], { epoch: 7 })]);
    const shown = merge.into(old, read);
    expect(shown).toEqual(read);
    expect(shown).toBe(old);
    expect(shown.repositories[0]).toBe(report);
    expect(shown.repositories[0]?.mirrors[0]).not.toBe(one);
    expect(shown.repositories[0]?.mirrors[1]).toBe(other);
  });

  it('takes back what an event told that is not so', () => {
    const merge = new Merge();
    const old = merge.into(null, overview([repository(two())]));
    merge.find(old, 'orchestrator/mirror-2')!.status = 'syncing';
    expect(merge.into(old, overview([repository(two())])).repositories[0]?.mirrors[1]?.status).toBe('success');
  });

  it('takes away what is no more', () => {
    const merge = new Merge();
    const health_detail = 'it answers 503';
    const open_change = { kind: 'x', mirror: 'mirror-1', writer: 'you', since_iso: ago(1), detail: '' };
    const error = { code: 'network' as const, message: 'x', hint: '', retryable: true };
    const before = overview([repository([mirror({ health_detail })], { open_change, error })]);
    const after = overview([repository([mirror()])]);
    expect(merge.into(merge.into(null, before), after)).toEqual(after);
  });

  it('is taken whole where the mirrors are others', () => {
    const merge = new Merge();
    const old = merge.into(null, overview([repository(two())]));
    for (const mirrors of [[mirror()], two().reverse(), [...two(), mirror({ id: 'mirror-3' })], []]) {
      const read = overview([repository(mirrors)]);
      expect(merge.into(old, read)).toBe(read);
      expect(merge.find(read, `orchestrator/${mirrors.at(-1)?.id}`)).toBe(read.repositories[0]?.mirrors.at(-1));
    }
  });
});
