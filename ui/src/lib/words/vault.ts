// What is said of secrets on the vault's page: where a value is, what each mirror has, what a removal stops. Never a value.

import type { Plan } from '../bindings/Plan';
import type { SecretPlace } from '../bindings/SecretPlace';
import type { SecretState } from '../bindings/SecretState';
import type { StateWord } from './words';

/** A name with all that is known of it. */
export interface KnownSecret {
  place: SecretPlace;
  /** What a comparison found, a mirror each; empty before one. */
  mirrors: { mirror: string; state: SecretState }[];
}

/** The names that are known here, and those that a comparison found: a value may be missing that is wanted. */
export function knownSecrets(places: readonly SecretPlace[], plans: readonly Plan[]): KnownSecret[] {
  const found = new Map(places.map((place) => [place.name.toUpperCase(), { place, mirrors: [] } as KnownSecret]));
  for (const plan of plans) {
    for (const [name, state] of namesOf(plan)) {
      const key = name.toUpperCase();
      const known = found.get(key) ?? {
        place: { name, source: null, in_vault: false, travels: state !== 'only_on_mirror' },
        mirrors: [],
      };
      known.mirrors.push({ mirror: plan.mirror, state });
      found.set(key, known);
    }
  }
  return [...found.values()].sort((one, other) => one.place.name.localeCompare(other.place.name));
}

function namesOf(plan: Plan): [string, SecretState][] {
  return plan.sections.flatMap(({ details }) => (details && 'secrets' in details ? details.secrets.names : []));
}

/** Where the value comes from that a sync would send. */
export function sourceOf({ source, in_vault, travels }: SecretPlace): StateWord {
  if (source === 'env' && in_vault) return { tone: 'ok', word: 'From .env; the vault has one too, which is not used' };
  if (source === 'env') return { tone: 'ok', word: 'From .env' };
  if (source === 'vault') return { tone: 'ok', word: 'From the vault' };
  if (in_vault) return { tone: 'unknown', word: 'In the vault, but not meant to travel' };
  return travels ? { tone: 'waiting', word: 'No value here' } : { tone: 'unknown', word: 'Not ours' };
}

const stateWords: Record<SecretState, StateWord> = {
  in_step: { tone: 'ok', word: 'in step' },
  create: { tone: 'waiting', word: 'lacks it; the next sync brings it' },
  update: { tone: 'waiting', word: 'has another value; the next sync brings this one' },
  needs_yes: { tone: 'waiting', word: 'lacks it; waits for your yes in the preview' },
  missing_here: { tone: 'waiting', word: 'waits for a value from here' },
  unusable: { tone: 'failed', word: 'would not take it' },
  only_on_mirror: { tone: 'unknown', word: 'has one of its own, which is left alone' },
};

/** What a mirror has of a secret. */
export function mirrorHas(state: SecretState): StateWord {
  return stateWords[state];
}

/** Whether someone has to type a value. */
export function lacksValue({ source, travels }: SecretPlace): boolean {
  return source === null && travels;
}

/** What stops working once the vault has no value any more. */
export function removalWords({ name, source }: SecretPlace): string {
  if (source === 'env') return `The value in .env is the one that is sent, and goes on being sent.`;
  if (source === null) return `No mirror is sent it today; only what is kept here goes.`;
  return (
    `Mirrors keep the value that was sent to them, but no new one is sent. A new mirror gets none: workflows that use ` +
    `${name} fail there, also after it became master.`
  );
}
