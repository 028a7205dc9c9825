import { describe, expect, it } from 'vitest';

import type { Rescue } from '../bindings/Rescue';
import { ago, archive, copy, mirror, OTHER_OID } from '../../testing/fake';
import { cameFrom, restorePlan } from './rescues';

const rescue: Rescue = {
  id: 'r1',
  repository: 'orchestrator',
  mirror: 'mirror-1',
  target: 'backup-account/orchestrator',
  ref_name: 'refs/heads/topic',
  oid: OTHER_OID,
  reason: 'overwrite',
  created_iso: ago(60),
  run: null,
};

describe('a restore', () => {
  it('puts a tip back under its own name, and says that workflows do not run', () => {
    const { deed, facts } = restorePlan(rescue, mirror(), 'you/orchestrator');
    expect(deed).toBe('Restore branch topic');
    expect(facts[0]).toBe(
      'Branch topic of backup-account/orchestrator points to 5c1d8f00aa11 again, as it was before.',
    );
    expect(facts.at(-1)).toBe('Workflows that come with it are kept from running.');
    const plain = restorePlan({ ...rescue, target: undefined }, archive({ id: 'mirror-1' }), 'you/orchestrator');
    expect(plain.facts.join(' ')).not.toMatch(/Workflows/);
  });

  it('of what a former master had goes to the present one, under a name of its own', () => {
    const { deed, facts } = restorePlan({ ...rescue, reason: 'turned' }, undefined, 'you/orchestrator');
    expect(deed).toBe('Restore branch rescue/mirror-1/topic');
    expect(facts[0]).toMatch(/goes to you\/orchestrator, the present master/);
  });

  it('into the copy of an upstream says that it stays', () => {
    const of = { ...rescue, target: undefined, mirror: 'copy' };
    expect(restorePlan(of, copy(), 'you/orchestrator').facts.join(' ')).toMatch(/No later pull takes it away/);
  });

  it('is not offered where its place is another or gone', () => {
    expect(restorePlan(rescue, undefined, 'you/orchestrator').deed).toBe('');
    const moved = restorePlan(rescue, mirror({ repo: 'other/place' }), 'you/orchestrator');
    expect(moved.deed).toBe('');
    expect(moved.facts[0]).toMatch(/mirror-1 is other\/place by now/);
  });
});

describe('where a tip came from', () => {
  it('is its place and its mirror', () => {
    expect(cameFrom(rescue)).toBe('backup-account/orchestrator (mirror-1)');
    expect(cameFrom({ ...rescue, target: undefined })).toBe('mirror-1');
  });
});
