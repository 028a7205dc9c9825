import { describe, expect, it } from 'vitest';

import { mirror, archive, copy, skipped } from '../../testing/fake';
import { archived, hostKey, seen } from '../../testing/setting_up';
import { ASPECTS } from '../words/words';
import { changesOf, settingsFor } from './mirror_edit';
import {
  hostOf,
  isSameAccount,
  isSsh,
  isUsable,
  nameOf,
  ownerOf,
  requestOf,
  settingsOf,
  stepFrom,
  stepsOf,
  wanting,
  type Answers,
} from './setup_request';

const answers = (over: Partial<Answers> = {}): Answers => ({
  kind: 'github',
  repository: null,
  source: 'you/app',
  clone: null,
  repo: 'spare/app',
  url: '',
  key: '',
  path: '',
  interval: '',
  sync: ASPECTS,
  ...over,
});

describe('a place', () => {
  it.each([
    ['you/app', 'github.com', 'you', 'app'],
    ['ghe.example.com/you/app', 'ghe.example.com', 'you', 'app'],
    ['https://github.com/you/app.git', 'github.com', 'you', 'app'],
    ['https://you@Git.example.com:8443/team/app/', 'git.example.com', 'team', 'app'],
    ['git@github.com:you/app.git', 'github.com', 'you', 'app'],
    ['ssh://git@nas.local/srv/app.git', 'nas.local', 'srv', 'app'],
    ['/media/disk/app.git', '', '', 'app'],
    ['', '', '', ''],
  ])('%s has its host, owner and name', (place, host, owner, name) => {
    expect([hostOf(place), ownerOf(place), nameOf(place)]).toEqual([host, owner, name]);
  });

  it('is of the same account whichever way it is written, and never across hosts', () => {
    expect(isSameAccount('you/app', 'You/spare')).toBe(true);
    expect(isSameAccount('https://github.com/you/app.git', 'you/spare')).toBe(true);
    expect(isSameAccount('you/app', 'ghe.example.com/you/app')).toBe(false);
    expect(isSameAccount('/srv/app', '/srv/spare')).toBe(false);
  });

  it('is reached by ssh where it says so', () => {
    expect(['git@nas:a.git', 'ssh://nas/a', 'https://nas/a', '/srv/a'].map(isSsh)).toEqual([true, true, false, false]);
  });
});

describe('a request', () => {
  it('says nothing that holds anyway', () => {
    expect(settingsOf(answers())).toEqual([{ key: 'repo', value: 'spare/app' }]);
    expect(settingsOf(answers({ kind: 'git', url: ' /srv/a ', key: '/k' }))).toEqual([{ key: 'url', value: '/srv/a' }]);
    expect(settingsOf(answers({ kind: 'pull' }))).toEqual([]);
  });

  it('names the aspects where some are left out, and code alone of what is not on GitHub', () => {
    expect(settingsOf(answers({ sync: ['secrets', 'code'] }))[1]).toEqual({ key: 'sync', value: ['code', 'secrets'] });
    expect(settingsOf(answers(), false)[1]).toEqual({ key: 'sync', value: ['code'] });
  });

  it('names a source only where it makes the repository', () => {
    expect(requestOf(answers({ clone: '/src/app' }), []).change).toMatchObject({
      source: 'you/app',
      clone: '/src/app',
    });
    const known = requestOf(answers({ repository: 'app', clone: '/src/app' }), []);
    expect(known.repository).toBe('app');
    expect(known.change).toMatchObject({ source: null, clone: null });
  });
});

describe('the steps', () => {
  it('leave out what a kind has not, and what is known', () => {
    expect(stepsOf('github')).toHaveLength(7);
    expect(stepsOf('git')).not.toContain('sentinel');
    expect(stepFrom(answers({ kind: 'git' }), 'keep', 1)).toBe('review');
    const known = answers({ repository: 'app', source: '' });
    expect(stepFrom(known, 'what', 1)).toBe('where');
    expect(stepFrom(known, 'where', -1)).toBe('what');
    expect(stepFrom(answers(), 'what', -1)).toBe('what');
  });
});

describe('what was found', () => {
  it('lets one go on, or not', () => {
    const look = { ...archived(), state: 'absent' as const };
    expect(isUsable('github', look, true)).toBe(true);
    expect(isUsable('github', look, false)).toBe(false);
    expect(isUsable('github', archived(), true)).toBe(false);
    expect(isUsable('git', archived(), true)).toBe(true);
    expect(isUsable('git', archived({ host_key: hostKey }), true)).toBe(false);
  });

  it('says which secrets still want a value', () => {
    expect(wanting(seen, ['API_KEY'])).toEqual(['DATABASE_URL']);
    expect(wanting(null, [])).toEqual([]);
  });
});

describe('a form about a mirror', () => {
  it('comes to nothing where nothing was changed', () => {
    const answer = { wish: 'as_it_is' as const, text: 'x' };
    expect(changesOf(mirror(), ' backup-account/orchestrator ', ASPECTS, { schedule: answer })).toEqual([]);
    expect(changesOf(mirror({ secrets: skipped }), '', ['code', 'variables', 'workflows'], {})).toEqual([]);
  });

  it('writes each kind of value as it is written in a file', () => {
    const ofCopy = changesOf(copy(), 'https://elsewhere.example.com/a', ['code'], {
      refs: { wish: 'set', text: '+refs/heads/*:refs/heads/*  ^refs/heads/old' },
      timeout: { wish: 'default', text: '' },
      interval: { wish: 'set', text: '  ' },
    });
    expect(ofCopy).toEqual([
      { key: 'url', value: 'https://elsewhere.example.com/a' },
      { key: 'refs', value: ['+refs/heads/*:refs/heads/*', '^refs/heads/old'] },
      { key: 'timeout', value: null },
    ]);
    const folder = archive({ repo: '/srv/app.git' });
    expect(changesOf(folder, '/srv/app.git', ['code'], { hooks: { wish: 'no', text: '' } })).toEqual([
      { key: 'hooks', value: false },
    ]);
  });

  it('asks only what that kind can be told', () => {
    expect(settingsFor(mirror()).map(({ key }) => key)).toEqual(['schedule']);
    expect(settingsFor(archive()).map(({ key }) => key)).toEqual(['schedule', 'ssh_key_path']);
    expect(settingsFor(archive({ repo: '/srv/app.git' })).map(({ key }) => key)).toEqual(['schedule', 'hooks']);
  });
});
