// A change of master as it goes: what the events of it become on screen. Kept until it is dismissed.

import type { Error as Failure } from '../bindings/Error';
import type { Job } from '../bindings/Job';
import type { JobEnd } from '../bindings/JobEnd';
import type { RoleStepState } from '../bindings/RoleStepState';
import type { Stamped } from '../bindings/Stamped';

/** A step of a change of master. */
export interface RoleStep {
  number: number;
  what: string;
  state: RoleStepState;
  detail: string;
  error: Failure | null;
  /** When it last changed. */
  at: string;
}

/** How it ended, as far as a person needs to know. */
export type RoleEnding = 'done' | 'rolled_back' | 'open' | 'not_begun' | 'broken';

export class RoleRun {
  headline = $state('');
  steps = $state<RoleStep[]>([]);
  of = $state(0);
  ending = $state<RoleEnding | null>(null);
  error = $state<Failure | null>(null);

  constructor(readonly job: Job) {}

  /** The mirror that it is about. */
  get mirror(): string {
    return this.job.mirrors[0] ?? '';
  }

  /** How many steps are done. */
  get done(): number {
    return this.steps.filter((step) => step.state === 'done').length;
  }

  hear(event: Stamped): void {
    switch (event.event) {
      case 'role_change_started':
        this.headline = event.headline;
        this.of = event.steps;
        break;
      case 'role_step': {
        const { number, what, state, detail, error } = event;
        const step = { number, what, state, detail, error, at: event.at_iso };
        const known = this.steps.findIndex((other) => other.number === number);
        if (known < 0) this.steps.push(step);
        else this.steps[known] = step;
        this.of = event.of;
        break;
      }
      case 'job_ended':
        this.#end(event.end);
        break;
      default:
        break;
    }
  }

  #end(end: JobEnd): void {
    switch (end.kind) {
      case 'role_change':
        this.ending = end.end;
        this.error = end.error;
        break;
      case 'not_begun':
        this.ending = 'not_begun';
        this.error = end.error;
        break;
      case 'broken':
      case 'sync':
        this.ending = 'broken';
        break;
    }
  }
}
