// What goes on in this program, found by mirror.

import { SvelteMap } from 'svelte/reactivity';

import type { Job } from '../bindings/Job';

export class Jobs {
  #all = new SvelteMap<string, Job>();
  #ended = new Set<string>();
  /** How many have ended: another number each time that something may have been written down. */
  over = $state(0);
  /** The sync of each mirror; rather one of it alone than one of all. */
  #byMirror = $derived.by(() => {
    const found = new Map<string, Job>();
    for (const job of this.#all.values()) {
      if (job.what !== 'sync') continue;
      for (const mirror of job.mirrors) {
        const place = `${job.repository}/${mirror}`;
        if (found.get(place)?.of_all ?? true) found.set(place, job);
      }
    }
    return found;
  });

  get size(): number {
    return this.#all.size;
  }

  /** A short job may have ended before its start is heard of. */
  note(job: Job): void {
    if (!this.#ended.has(job.id) && !this.#all.has(job.id)) this.#all.set(job.id, job);
  }

  /** Whether a job goes on. */
  has(job: Job): boolean {
    return this.#all.has(job.id);
  }

  end(job: Job): void {
    this.#ended.add(job.id);
    this.over += 1;
    this.#all.delete(job.id);
  }

  at(repository: string, mirror: string): Job | undefined {
    return this.#byMirror.get(`${repository}/${mirror}`);
  }

  ofAll(repository: string): Job | undefined {
    return [...this.#all.values()].find((job) => job.what === 'sync' && job.of_all && job.repository === repository);
  }
}
