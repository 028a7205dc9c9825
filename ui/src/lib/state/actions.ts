// What the window does about an action of core. The page says which it can; the others are typed in a terminal.

import { getContext, setContext } from 'svelte';

import type { Action } from '../bindings/Action';

/** Does what an action says, or is nothing where the window cannot. */
export type Acting = (action: Pick<Action, 'verb' | 'mirror'>) => (() => void) | null;

const KEY = Symbol('acting');

export function provideActing(acting: Acting): void {
  setContext(KEY, acting);
}

export function actingHere(): Acting {
  return getContext<Acting | undefined>(KEY) ?? (() => null);
}
