// The audit trail in words, and the changes of master that it tells of. Pure.

import type { AuditEntry } from '../bindings/AuditEntry';
import type { StateWord } from './words';

/** A change of master, as it stands between syncs. */
export interface RoleMark {
  at_iso: string;
  mirror: string | null;
  tone: StateWord['tone'];
  title: string;
  /** What it was to do. */
  detail: string;
  /** Why it did not get there; empty where it did. */
  error: string;
  actor: string;
}

/** An action as it begins a line: `Rescue restore`. */
export function actionWords(action: string): string {
  const words = action.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** How something ended: one of two words, with the reason apart. */
export function outcomeOf({ outcome }: AuditEntry): { ok: boolean; word: string; error: string } {
  return outcome === 'ok' ? { ok: true, word: 'ok', error: '' } : { ok: false, word: 'failed', error: outcome };
}

type RoleAction = 'promote' | 'demote' | 'role_resume' | 'role_rollback' | 'role_settled';

/** What is said where it went through, and where it could not begin. */
const ROLE_WORDS: Record<RoleAction, (mirror: string) => readonly [did: string, refused: string]> = {
  promote: (mirror) => [`${mirror} became master`, `${mirror} did not become master`],
  demote: (mirror) => [`${mirror} handed back`, `${mirror} did not hand back`],
  role_resume: (mirror) => [
    `The change of master of ${mirror} was gone on with`,
    `The change of master of ${mirror} could not be gone on with`,
  ],
  role_rollback: (mirror) => [
    `The change of master of ${mirror} was taken back`,
    `The change of master of ${mirror} could not be taken back`,
  ],
  role_settled: (mirror) => [
    `The change of master of ${mirror} was found ended`,
    `The change of master of ${mirror} is not settled`,
  ],
};

function isRoleAction(action: string): action is RoleAction {
  return Object.hasOwn(ROLE_WORDS, action);
}

/** The end stands behind what was to be done: `make ada/site master instead of …: done`. */
const END = /: (done|rolledback|open)$/;

/** The change of master that a line of the trail tells of; `null` for any other line. */
export function roleMark(entry: AuditEntry): RoleMark | null {
  const { at_iso, action, mirror, actor } = entry;
  if (!isRoleAction(action)) return null;
  const end = END.exec(entry.detail)?.[1] ?? null;
  const { ok, error } = outcomeOf(entry);
  const who = mirror ?? 'A standby';
  const [did, refused] = ROLE_WORDS[action](who);
  const told = ((): Pick<RoleMark, 'tone' | 'title'> => {
    if (end === 'open') return { tone: 'failed', title: `The change of master of ${who} stopped half-way` };
    if (end === 'rolledback') return { tone: ok ? 'ok' : 'waiting', title: ROLE_WORDS.role_rollback(who)[0] };
    return ok ? { tone: 'ok', title: did } : { tone: 'failed', title: refused };
  })();
  // The trail has it in small letters.
  const plan = entry.detail.replace(END, '').replaceAll('temporary_master', 'TEMPORARY_MASTER');
  const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  return { at_iso, mirror, actor, error, ...told, detail: sentence(plan) };
}

/** The changes of master of a trail, newest first as it is. */
export function roleMarks(entries: readonly AuditEntry[]): RoleMark[] {
  return entries.map(roleMark).filter((mark) => mark !== null);
}
