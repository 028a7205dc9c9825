// What a person unfolded or chose to see: kept while status is read anew, and the wish for output beyond the window's life.

import { SvelteMap, SvelteSet } from 'svelte/reactivity';

import type { Asked } from '../words/order';

const OUTPUT = 'standin.output';

function remembered(): boolean {
  try {
    return window.localStorage.getItem(OUTPUT) === 'shown';
  } catch {
    // A page without a store of its own remembers nothing.
    return false;
  }
}

export class Shown {
  /** The mirrors of long lists that are unfolded to their cards, by repository and mirror. */
  cards = new SvelteSet<string>();
  /** Which mirrors of a long list are asked for, by repository. */
  asked = new SvelteMap<string, Asked>();
  /** Which page of a long list is shown, by repository. */
  page = new SvelteMap<string, number>();
  #output = $state(remembered());

  toggleCard(place: string): void {
    if (!this.cards.delete(place)) this.cards.add(place);
  }

  /** Whether the lines of a sync are shown as they come. */
  get output(): boolean {
    return this.#output;
  }

  set output(shown: boolean) {
    this.#output = shown;
    try {
      window.localStorage.setItem(OUTPUT, shown ? 'shown' : 'folded');
    } catch {
      // Then it holds until the window closes.
    }
  }
}
