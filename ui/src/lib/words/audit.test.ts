import { describe, expect, it } from 'vitest';

import type { AuditEntry } from '../bindings/AuditEntry';
import { ago } from '../../testing/fake';
import { actionWords, outcomeOf, roleMark, roleMarks } from './audit';

function entry(over: Partial<AuditEntry>): AuditEntry {
  return {
    at_iso: ago(60),
    actor: 'you@desk (desktop)',
    action: 'promote',
    repository: 'orchestrator',
    mirror: 'mirror-1',
    detail: '',
    outcome: 'ok',
    ...over,
  };
}

describe('a change of master', () => {
  it.each<[Partial<AuditEntry>, string, string]>([
    [{ detail: 'make b temporary_master: done' }, 'ok', 'mirror-1 became master'],
    [
      { detail: 'make b master: open', outcome: 'the line broke' },
      'failed',
      'The change of master of mirror-1 stopped half-way',
    ],
    [
      { detail: 'make b master: rolledback', outcome: 'HTTP 500' },
      'waiting',
      'The change of master of mirror-1 was taken back',
    ],
    [{ outcome: 'it is archived' }, 'failed', 'mirror-1 did not become master'],
    [{ action: 'demote', detail: 'hand back from b to a: done' }, 'ok', 'mirror-1 handed back'],
    [
      { action: 'role_resume', detail: 'make b master: done' },
      'ok',
      'The change of master of mirror-1 was gone on with',
    ],
    [
      { action: 'role_rollback', detail: 'take back: make b master: rolledback' },
      'ok',
      'The change of master of mirror-1 was taken back',
    ],
    [
      { action: 'role_settled', detail: 'it ended elsewhere' },
      'ok',
      'The change of master of mirror-1 was found ended',
    ],
  ])('is told as it ended: %o', (over, tone, title) => {
    expect(roleMark(entry(over))).toMatchObject({ tone, title });
  });

  it('says what it was to do, without how it ended', () => {
    const found = roleMark(entry({ detail: 'make b temporary_master, since a is gone: done' }));
    expect(found?.detail).toBe('Make b TEMPORARY_MASTER, since a is gone');
  });

  it('is nothing else of the trail', () => {
    expect(roleMarks([entry({ action: 'sync' }), entry({ action: 'toString' }), entry({})])).toHaveLength(1);
  });
});

describe('a line of the trail', () => {
  it('begins with its action, and ended in one of two ways', () => {
    expect(actionWords('rescue_restore')).toBe('Rescue restore');
    expect(outcomeOf(entry({}))).toEqual({ ok: true, word: 'ok', error: '' });
    expect(outcomeOf(entry({ outcome: 'HTTP 403' }))).toEqual({ ok: false, word: 'failed', error: 'HTTP 403' });
  });
});
