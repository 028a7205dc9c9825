// The commits that saved tips point to, asked for a few at a time: a list of hundreds is read as far as it is shown.

import { SvelteMap } from 'svelte/reactivity';

import type { Backend } from '../backend';
import type { CommitLine } from '../bindings/CommitLine';
import type { Rescue } from '../bindings/Rescue';

/** So many are asked for at the same time. */
const AT_ONCE = 4;

export class Tips {
  /** By rescue; null where it cannot be read. */
  readonly known = new SvelteMap<string, CommitLine | null>();
  #asked = new Set<string>();
  #waiting: Rescue[] = [];
  #working = 0;
  #stopped = false;

  constructor(readonly backend: Backend) {}

  /** Asks for those that nobody asked for yet. */
  want(rescues: readonly Rescue[]): void {
    const fresh = rescues.filter(({ id }) => !this.#asked.has(id));
    for (const { id } of fresh) this.#asked.add(id);
    this.#waiting.push(...fresh);
    while (this.#working < AT_ONCE && this.#waiting.length > 0) void this.#work();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #work(): Promise<void> {
    this.#working += 1;
    for (let next = this.#waiting.shift(); next && !this.#stopped; next = this.#waiting.shift()) {
      const { id, repository, mirror, oid } = next;
      try {
        const { commits } = await this.backend.commits(repository, mirror, oid, null);
        this.known.set(id, commits[0] ?? null);
      } catch {
        // The row says so; a restore or a drop says why, if it meets the same.
        this.known.set(id, null);
      }
    }
    this.#working -= 1;
  }
}
