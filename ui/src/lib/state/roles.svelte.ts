// A change of master as it goes: what the events of it become on screen. Kept until it is dismissed.

import { SvelteMap, SvelteSet } from 'svelte/reactivity';

import { asFailure, type Backend } from '../backend';
import type { Error as Failure } from '../bindings/Error';
import type { Job } from '../bindings/Job';
import type { JobEnd } from '../bindings/JobEnd';
import type { OpenChangeChoice } from '../bindings/OpenChangeChoice';
import type { RepositoryReport } from '../bindings/RepositoryReport';
import type { RoleChoice } from '../bindings/RoleChoice';
import type { RoleOutcome } from '../bindings/RoleOutcome';
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

/** What the changes of master need of the window. */
interface Surroundings {
  backend: Backend;
  refused: (repository: string, failure: Failure | null) => void;
  refresh: () => Promise<void>;
}

/** The last change of master of each repository that was begun here. */
export class Roles {
  #runs = new SvelteMap<string, RoleRun>();

  constructor(readonly window: Surroundings) {}

  /** A job that may be a change of master. */
  note(job: Job): void {
    if (job.what !== 'sync' && this.of(job.repository)?.job.id !== job.id) {
      this.#runs.set(job.repository, new RoleRun(job));
    }
  }

  /** The one that goes on in this program, or that ended and was not dismissed. */
  of(repository: string): RoleRun | undefined {
    return this.#runs.get(repository);
  }

  /** The one that goes on in this program. */
  atWork(repository: string): RoleRun | undefined {
    const run = this.of(repository);
    return run?.ending === null ? run : undefined;
  }

  dismiss(repository: string): void {
    this.#runs.delete(repository);
  }

  hear(repository: string, event: Stamped): void {
    const run = this.of(repository);
    // An end is of its own job alone.
    if (event.event !== 'job_ended' || event.job.id === run?.job.id) run?.hear(event);
  }

  /** Promotes or demotes; what happens is told by events. */
  async change(choice: RoleChoice): Promise<void> {
    await this.#begin(choice.repository, () => this.window.backend.roleChange(choice));
  }

  /** Goes on with the change of master that is open, or takes it back. */
  async end(repository: string, mirror: string, choice: OpenChangeChoice): Promise<void> {
    await this.#begin(repository, () => this.window.backend.roleEnd(repository, mirror, choice));
  }

  async #begin(repository: string, change: () => Promise<RoleOutcome>): Promise<void> {
    this.window.refused(repository, null);
    // What is told of an earlier one is over.
    if (!this.atWork(repository)) this.dismiss(repository);
    try {
      await change();
    } catch (thrown) {
      // What was a job says why itself.
      if (!this.of(repository)) this.window.refused(repository, asFailure(thrown));
    }
    await this.window.refresh();
  }
}

/** Masters that the user waits for, and those that came back. */
export class Waited {
  /** Repositories whose master is waited for, with since when it was not well. */
  #since = new SvelteMap<string, string>();
  /** Repositories whose master came back after it was waited for, until that is dismissed. */
  readonly back = new SvelteSet<string>();

  is(report: RepositoryReport): boolean {
    return this.#since.get(report.repository) === report.master_health?.since_iso;
  }

  begin(report: RepositoryReport): void {
    if (report.master_health) this.#since.set(report.repository, report.master_health.since_iso);
  }

  end(report: RepositoryReport): void {
    this.#since.delete(report.repository);
  }

  /** Answers the masters that are back since, each once. */
  whoIsBack(reports: RepositoryReport[]): string[] {
    const found = reports.filter(
      (report) => report.master_health?.verdict === 'well' && this.#since.delete(report.repository),
    );
    for (const { repository } of found) this.back.add(repository);
    return found.map((report) => report.master_health?.repo ?? report.repository);
  }
}
