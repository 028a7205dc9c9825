import { describe, expect, it } from 'vitest';

import type { CommitList } from '../bindings/CommitList';
import type { PlannedChange } from '../bindings/PlannedChange';
import { commitsOfChange, commitsOfDivergence, howMany, restWords } from './commits';

const OLD = 'a'.repeat(40);
const NEW = 'b'.repeat(40);
const MAIN = 'c'.repeat(40);

const change = (over: Partial<PlannedChange>): PlannedChange => ({
  aspect: 'code',
  action: 'fast_forward',
  name: 'refs/heads/topic',
  before: OLD,
  after: NEW,
  ...over,
});

const asked = (over: Partial<PlannedChange>, main: string | null = MAIN) =>
  commitsOfChange(change(over), main).map(({ tip, without }) => [tip, without]);

describe('the commits of a change', () => {
  it('are the new ones, and where some go, those first', () => {
    expect(asked({})).toEqual([[NEW, OLD]]);
    expect(asked({ action: 'rewrite' })).toEqual([
      [OLD, NEW],
      [NEW, OLD],
    ]);
  });

  it('of a whole branch are those that the default branch has not', () => {
    expect(asked({ action: 'create', before: undefined })).toEqual([[NEW, MAIN]]);
    expect(asked({ action: 'delete', after: undefined })).toEqual([[OLD, MAIN]]);
    expect(asked({ action: 'create', before: undefined }, NEW)).toEqual([[NEW, null]]);
    expect(asked({ action: 'delete', after: undefined }, null)).toEqual([[OLD, null]]);
  });

  it('are none of what is no ref', () => {
    expect(asked({ aspect: 'secrets', action: 'create' })).toEqual([]);
    expect(asked({ action: 'fence' })).toEqual([]);
    expect(asked({ action: 'default_branch', before: undefined, after: undefined })).toEqual([]);
  });
});

describe('the commits of a divergence', () => {
  const diverged = { name: 'refs/heads/main', mirror_tip: OLD, ahead: 2, behind: 1, decision: null };

  it('are those of both sides, the mirror’s first', () => {
    expect(commitsOfDivergence({ ...diverged, source_tip: NEW }, 'ada/app', 'backup/app')).toEqual([
      { title: 'Only at backup/app', tip: OLD, without: NEW },
      { title: 'Only at ada/app', tip: NEW, without: OLD },
    ]);
  });

  it('are the mirror’s alone where the source has no such ref', () => {
    expect(commitsOfDivergence({ ...diverged, source_tip: null }, 'ada/app', 'backup/app')).toEqual([
      { title: 'Only at backup/app', tip: OLD, without: null },
    ]);
  });
});

describe('a count of commits', () => {
  const list = (count: number, shown: number): CommitList => ({
    commits: Array.from({ length: shown }, () => ({ oid: OLD, subject: '', author: '', at_iso: '' })),
    count,
    files: [],
    file_count: 0,
  });

  it('says where it was not counted to the end', () => {
    expect([howMany(list(3, 3)), restWords(list(3, 3))]).toEqual(['3', '']);
    expect([howMany(list(130, 100)), restWords(list(130, 100))]).toEqual(['130', 'and 30 older']);
    expect([howMany(list(10_000, 100)), restWords(list(10_000, 100))]).toEqual(['10,000 or more', 'and many more']);
  });
});
