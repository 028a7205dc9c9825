import { describe, expect, it } from 'vitest';

import { ago, archive, mirror, NOW, repository } from '../../testing/fake';
import { drillReport } from '../../testing/fake_drill';
import { findingWords, lastDrillWords, phaseTime, rehearsable, secondsWords, standbyFacts } from './drills';

describe('the words of drills', () => {
  it('name the standbys that can be rehearsed', () => {
    const off = mirror({ id: 'off', enabled: false });
    expect(rehearsable(repository([mirror(), archive(), off])).map(({ id }) => id)).toEqual(['mirror-1']);
    expect(rehearsable(repository([archive()]))).toEqual([]);
  });

  it('say when it was rehearsed last, and nothing before that is known', () => {
    expect(lastDrillWords(null, NOW)).toBe('');
    expect(lastDrillWords([], NOW)).toBe('Never rehearsed.');
    const last = drillReport({ at_iso: ago(3 * 86_400), passed: false });
    expect(lastDrillWords([last, drillReport()], NOW)).toBe('mirror-1 was rehearsed 3 days ago: not passed.');
  });

  it('tell the time here from that on the day', () => {
    const phase = { what: '', detail: '', seconds: 14.62 };
    expect(phaseTime(phase)).toBe('14.6 s');
    expect(phaseTime({ ...phase, minutes_on_the_day: 77.6 })).toBe('14.6 s, 78 minutes on the day');
    expect(secondsWords(119.7)).toBe('2 min 0 s');
  });

  it('leave out of a standby what is not known', () => {
    const standby = {
      mirror: 'm',
      repo: 'b/app',
      ready: true,
      last_sync_iso: null,
      missing_commits: null,
      enables: [],
    };
    expect(standbyFacts(standby, NOW)).toEqual(['never in step', 'no workflow would run there']);
    expect(standbyFacts({ ...standby, missing_commits: 2, enables: ['cron.yml'] }, NOW).slice(1)).toEqual([
      '2 commits missing',
      'would run there: cron.yml',
    ]);
  });

  it('name the place of a finding, where it is about one', () => {
    const finding = { severity: 'failed' as const, message: 'the token ends', hint: '' };
    expect(findingWords(finding)).toBe('the token ends');
    expect(findingWords({ ...finding, place: 'mirror-1' })).toBe('mirror-1: the token ends');
  });
});
