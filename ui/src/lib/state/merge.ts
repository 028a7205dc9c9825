// A new reading of status laid over the old one: what is the same stays as it is, so that nothing about it is drawn anew.
// With hundreds of mirrors that is the difference between a blink and a freeze.

import type { MirrorReport } from '../bindings/MirrorReport';
import type { Overview } from '../bindings/Overview';

/** Whether two readings name the same mirrors in the same order. */
function isAlike(old: Overview, read: Overview): boolean {
  return (
    old.repositories.length === read.repositories.length &&
    old.repositories.every((report, number) => {
      const other = read.repositories[number];
      return (
        report.repository === other?.repository &&
        report.mirrors.length === other.mirrors.length &&
        report.mirrors.every((mirror, place) => mirror.id === other.mirrors[place]?.id)
      );
    })
  );
}

/** Sets what differs, and takes away what is no more. */
function patch<T extends object>(old: T, read: T, apart: keyof T): void {
  for (const key of Object.keys(old) as (keyof T)[]) if (!(key in read)) delete old[key];
  for (const key of Object.keys(read) as (keyof T)[]) {
    if (key !== apart && JSON.stringify(old[key]) !== JSON.stringify(read[key])) old[key] = read[key];
  }
}

export class Merge {
  /** Where each mirror stands in the overview: repository and mirror, by place. */
  #places = new Map<string, [repository: number, mirror: number]>();
  /** What was read of each mirror last; none where an event told of it since. */
  #texts = new Map<string, string>();

  /** The overview that is shown from now on: the old one, changed where it differs, or the new one. */
  into(old: Overview | null, read: Overview): Overview {
    const texts = new Map<string, string>();
    const places = new Map<string, [number, number]>();
    const alike = old !== null && isAlike(old, read);
    if (alike) patch(old, read, 'repositories');
    read.repositories.forEach((report, repository) => {
      const shown = alike ? old.repositories[repository] : undefined;
      if (shown) patch(shown, report, 'mirrors');
      report.mirrors.forEach((mirror, number) => {
        const place = `${report.repository}/${mirror.id}`;
        const text = JSON.stringify(mirror);
        if (shown && this.#texts.get(place) !== text) shown.mirrors[number] = mirror;
        texts.set(place, text);
        places.set(place, [repository, number]);
      });
    });
    this.#texts = texts;
    this.#places = places;
    return alike ? old : read;
  }

  /** A mirror that is about to be changed by an event. */
  find(overview: Overview | null, place: string): MirrorReport | undefined {
    this.#texts.delete(place);
    const [repository = -1, mirror = -1] = this.#places.get(place) ?? [];
    return overview?.repositories[repository]?.mirrors[mirror];
  }
}
