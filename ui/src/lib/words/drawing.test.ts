import { describe, expect, it } from 'vitest';

import { ago, archive, failed, mirror, NOW, repository, stands } from '../../testing/fake';
import type { MasterHealth } from '../bindings/MasterHealth';
import { drawing } from './drawing';

const none = () => false;

function seen(over: Partial<MasterHealth> = {}): MasterHealth {
  return {
    place: 'source',
    repo: 'you/orchestrator',
    verdict: 'well',
    cause: 'well',
    health: 'ok',
    detail: 'it answers',
    hint: '',
    since_iso: ago(3700),
    last_health_check_iso: ago(125),
    ...over,
  };
}

describe('the drawing', () => {
  it('says how the master is and when it was looked at, and names an archive', () => {
    const shown = drawing(repository([mirror(), archive()], { master_health: seen() }), none, NOW);
    expect(shown.master.state).toEqual({ tone: 'ok', word: 'well, looked at 2 minutes ago' });
    expect(shown.nodes.map(({ kind, flows }) => [kind, flows])).toEqual([
      ['', true],
      ['Archive', true],
    ]);
    expect(shown.words).toContain('(archive, in step)');
  });

  it('lets nothing flow from a master that is down', () => {
    const master_health = seen({ verdict: 'down', health: 'failed' });
    const shown = drawing(repository([mirror()], { master_health }), none, NOW);
    expect(shown.master.state.tone).toBe('failed');
    expect(shown.nodes[0]?.flows).toBe(false);
    expect(shown.words).toMatch(/down, looked at .* Data flows from it to nowhere\. Nothing flows to backup-account/);
  });

  it('lets nothing flow to what is switched off, nor to a source that waits for the hand-back', () => {
    const off = mirror({ id: 'off', enabled: false, standing: stands('switched_off', 'unknown', 'switched off') });
    expect(drawing(repository([off]), none, NOW).nodes[0]?.flows).toBe(false);
    const waiting = stands('waits_for_hand_back', 'waiting', 'waits for the hand-back');
    const source = mirror({ id: 'source', repo: 'you/orchestrator', standing: waiting });
    const standIn = mirror({ role: 'TEMPORARY_MASTER', health: 'ok' });
    const report = repository([standIn, source, archive()], { self_role: 'SLAVE', master: standIn.repo });
    const shown = drawing(report, none, NOW);
    expect(shown.nodes.map(({ id, flows }) => [id, flows])).toEqual([
      ['source', false],
      ['mirror-2', true],
    ]);
    expect(shown.master).toMatchObject({ role: 'TEMPORARY_MASTER', state: { tone: 'ok' } });
  });

  it('shows the worst four of many and counts the others by their state', () => {
    const all = Array.from({ length: 200 }, (_, number) =>
      mirror({ id: `m${number}`, ...(number > 194 ? { standing: failed } : {}) }),
    );
    const shown = drawing(repository(all), none, NOW);
    expect(shown.nodes.map(({ id }) => id)).toEqual(['m195', 'm196', 'm197', 'm198']);
    expect(shown.more).toBe('196 more: 195 in step, 1 failed');
  });
});
