import { describe, expect, it } from 'vitest';

import { failure, mirror, repository } from '../../testing/fake';
import type { TokenReport } from '../bindings/TokenReport';
import { keychainState, minutesUntilTomorrow, pauseWords, toldOf, tokenState, troubles } from './settings';

const at = (day: number, hour: number, minute = 0) => new Date(2026, 1, day, hour, minute);
const paused = (until: Date | null) => ({
  since_iso: at(7, 9).toISOString(),
  until_iso: until && until.toISOString(),
  actor: 'you',
});

describe('a pause', () => {
  it.each([
    [null, 'Paused until resumed'],
    [at(7, 18), 'Paused until 18:00'],
    [at(8, 8), 'Paused until tomorrow, 08:00'],
    [at(10, 8), 'Paused until Tue, Feb 10, 08:00'],
  ])('says until when: %s', (until, words) => {
    expect(pauseWords(paused(until), at(7, 12).getTime())).toBe(words);
  });

  it('until tomorrow ends in the morning, also when it begins after midnight', () => {
    expect(minutesUntilTomorrow(at(7, 20).getTime())).toBe(12 * 60);
    expect(minutesUntilTomorrow(at(7, 0, 30).getTime())).toBe(31.5 * 60);
  });
});

describe('word that does not arrive', () => {
  it('is told once for each place, as it was last', () => {
    const trouble = (name: string, at_iso: string) => ({ name, at_iso, error: at_iso, hint: '', waiting: 0 });
    const found = troubles([
      repository([mirror()], { notify: [trouble('phone', '2026-02-07T10:00:00Z')] }),
      repository([mirror()], {
        notify: [trouble('phone', '2026-02-07T11:00:00Z'), trouble('team', '2026-02-07T12:00:00Z')],
      }),
      repository([mirror()]),
    ]);
    expect(found.map(({ name, error }) => [name, error])).toEqual([
      ['team', '2026-02-07T12:00:00Z'],
      ['phone', '2026-02-07T11:00:00Z'],
    ]);
  });
});

describe('what a place is told of', () => {
  it('is a list of words, or everything', () => {
    expect(toldOf(['master_down', 'promoted'])).toBe('master down, a standby became master');
  });
});

const report = (over: Partial<TokenReport> = {}): TokenReport => ({
  place: 'source',
  host: 'github.com',
  repository: 'you/orchestrator',
  origin: 'environment',
  login: 'you',
  kind: 'classic',
  scopes: null,
  expires_iso: null,
  days_left: null,
  rights: [],
  notices: [],
  ...over,
});

describe('a token', () => {
  it.each([
    [61, 'ok', '61 days left'],
    [14, 'waiting', '14 days left'],
    [1, 'waiting', '1 day left'],
    [null, 'ok', 'Works'],
  ] as const)('with %s days left is %s', (days_left, tone, word) => {
    expect(tokenState({ report: report({ days_left }) })).toEqual({ tone, word });
  });

  it('that lacks a right is not well, however long it holds', () => {
    const right = { aspect: 'code', right: 'push', state: 'missing', detail: '' } as const;
    expect(tokenState({ report: report({ days_left: 90, rights: [right] }) }).tone).toBe('waiting');
  });
});

describe('the keychain', () => {
  it('is as the tokens tell', () => {
    const no = (code: 'keychain_unavailable' | 'keychain_locked') => ({ failure: failure({ code }) });
    expect(keychainState([null]).word).toBe('Not asked yet');
    expect(keychainState([{ report: report() }, no('keychain_unavailable')]).word).toMatch(/^None in this session/);
    expect(keychainState([no('keychain_locked')]).word).toBe('Locked');
    expect(keychainState([{ report: report({ origin: 'keychain' }) }]).word).toBe('It answers; 1 token from it');
    expect(keychainState([{ report: report() }]).tone).toBe('unknown');
  });
});
