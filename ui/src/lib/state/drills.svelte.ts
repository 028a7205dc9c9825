// The drill that is being played: it goes on when its panel is closed, and there is one at a time in the whole program.

import { SvelteMap } from 'svelte/reactivity';

import { asFailure, type Backend } from '../backend';
import type { DrillReport } from '../bindings/DrillReport';
import type { Error as Failure } from '../bindings/Error';

/** How the last one ended that was begun here. */
export type DrillEnd = { report: DrillReport } | { failure: Failure } | 'stopped';

/** After so long it is asked again whether a drill that an earlier page began is over, in milliseconds. */
export const DRILL_REST = 2000;

export class Drills {
  playing = $state.raw<{ repository: string; since: number; isOfEarlierPage?: boolean } | null>(null);
  /** It was asked to end. */
  stopping = $state(false);
  /** By repository. */
  readonly ended = new SvelteMap<string, DrillEnd>();

  /** `say` tells who does not see the page that it is over. */
  constructor(
    readonly backend: Backend,
    readonly say: (words: string) => void,
  ) {}

  /** Takes note of one that an earlier page began: this one can stop it. Answers whether it goes on, to be asked again. */
  told(repository: string | null): boolean {
    if (repository !== null && !this.playing) {
      this.playing = { repository, since: Date.now(), isOfEarlierPage: true };
      this.stopping = false;
    } else if (repository === null && this.playing?.isOfEarlierPage) {
      this.say(`The drill of ${this.playing.repository} is over`);
      this.playing = null;
    }
    return this.playing?.isOfEarlierPage ?? false;
  }

  isPlaying(repository: string): boolean {
    return this.playing?.repository === repository;
  }

  async play(repository: string, mirror: string | null): Promise<void> {
    if (this.playing) return;
    this.playing = { repository, since: Date.now() };
    this.stopping = false;
    this.ended.delete(repository);
    try {
      const report = await this.backend.drill(repository, mirror);
      this.ended.set(repository, { report });
      this.say(report.passed ? `The drill of ${repository} passed` : `The drill of ${repository} did not pass`);
    } catch (thrown) {
      const failure = asFailure(thrown);
      this.ended.set(repository, failure.code === 'cancelled' ? 'stopped' : { failure });
      this.say(`The drill of ${repository} ended without a result`);
    }
    this.playing = null;
  }

  /** Asks it to end; answers why that is not possible. */
  async stop(): Promise<Failure | null> {
    this.stopping = true;
    try {
      await this.backend.drillStop();
      return null;
    } catch (thrown) {
      this.stopping = false;
      return asFailure(thrown);
    }
  }
}
