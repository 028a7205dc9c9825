// A new reading of status beside the old one: mirrors of which nothing changed stay the same objects, so that nothing
// about them is drawn anew.

import type { MirrorReport } from '../bindings/MirrorReport';
import type { Overview } from '../bindings/Overview';

export class Merge {
  /** Where each mirror stands in the overview: repository and mirror, by place. */
  #places = new Map<string, [repository: number, mirror: number]>();
  /** What was read of each mirror last; none where an event told of it since. */
  #texts = new Map<string, string>();

  /** The new overview, with the old one's mirrors wherever they are still so. */
  into(old: Overview | null, read: Overview): Overview {
    const texts = new Map<string, string>();
    const places = new Map<string, [number, number]>();
    const repositories = read.repositories.map((report, repository) => ({
      ...report,
      mirrors: report.mirrors.map((mirror, number) => {
        const place = `${report.repository}/${mirror.id}`;
        const text = JSON.stringify(mirror);
        const known = this.#texts.get(place) === text ? this.#at(old, place) : undefined;
        texts.set(place, text);
        places.set(place, [repository, number]);
        return known ?? mirror;
      }),
    }));
    this.#texts = texts;
    this.#places = places;
    return { ...read, repositories };
  }

  /** A mirror that is about to be changed by an event. */
  find(overview: Overview | null, place: string): MirrorReport | undefined {
    this.#texts.delete(place);
    return this.#at(overview, place);
  }

  #at(overview: Overview | null, place: string): MirrorReport | undefined {
    const [repository = -1, mirror = -1] = this.#places.get(place) ?? [];
    return overview?.repositories[repository]?.mirrors[mirror];
  }
}
