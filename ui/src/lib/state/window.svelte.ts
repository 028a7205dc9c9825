// What the window knows: the last overview, the jobs that it started, and the output of each mirror. Data comes in
// through the backend and goes out through the components; nothing else is remembered.

import { SvelteMap, SvelteSet } from 'svelte/reactivity';

import { asFailure, type Backend } from '../backend';
import type { Aspect } from '../bindings/Aspect';
import type { Error as Failure } from '../bindings/Error';
import type { Job } from '../bindings/Job';
import type { MirrorReport } from '../bindings/MirrorReport';
import type { MirrorStatus } from '../bindings/MirrorStatus';
import type { Overview } from '../bindings/Overview';
import type { Plan } from '../bindings/Plan';
import type { RepositoryReport } from '../bindings/RepositoryReport';
import type { Stamped } from '../bindings/Stamped';
import type { SyncChoice } from '../bindings/SyncChoice';
import type { Verb } from '../bindings/Verb';
import { byWorst } from '../words/order';
import { shownNames } from '../words/repositories';
import { roleEndWord } from '../words/words';
import { DRILL_REST, Drills } from './drills.svelte';
import { Jobs } from './jobs.svelte';
import { LiveRun } from './live.svelte';
import { Merge } from './merge';
import { Roles, Waited } from './roles.svelte';
import { Shown } from './shown.svelte';
import { SidebarWidth } from './sidebar.svelte';
import { Theme } from './theme.svelte';
import { Zoom } from './zoom.svelte';

/** How long a success is shown before the new time. */
export const FLASH = 3000;
/** How often the words for times are made anew, and status is read again while another process syncs. */
const TICK = 5000;
/** How often status is read again when nothing seems to happen. */
const IDLE_REFRESH = 5000;

/** The shortest time between two readings of status that events ask for, in milliseconds. */
const REST = 250;

/** How a sync differs from the usual one. */
export interface Emphasis {
  /** Now, even while the schedule is paused, and with everything read anew. It confirms nothing. */
  force?: boolean;
  /** These aspects alone. */
  only?: Aspect[];
}

const key = (repository: string, mirror: string) => `${repository}/${mirror}`;

function announce(mirror: string, status: MirrorStatus): string {
  if (status === 'success') return `${mirror} synced`;
  if (status === 'blocked') return `${mirror} needs a decision`;
  return `${mirror}: the sync did not succeed`;
}

/** What is shown beside the list: repositories, the settings, or the setting up of a mirror. */
export type Page = 'repositories' | 'settings' | 'setup';

/** What a page is to do as soon as it is shown. */
export interface Wish {
  repository: string;
  verb: Verb;
  mirror?: string | undefined;
}

/** A change of a mirror that is asked for, and not done yet. */
export interface MirrorDeed {
  repository: string;
  mirror: string;
  deed: 'edit' | 'switch' | 'test' | 'remove';
}

export class WindowState {
  overview = $state<Overview | null>(null);
  /** Why the overview could not be read. */
  failure = $state<Failure | null>(null);
  /** What the last command was refused with, by mirror (or by repository alone). */
  refusals = new SvelteMap<string, Failure>();
  live = new SvelteMap<string, LiveRun>();
  flashes = new SvelteSet<string>();
  readonly jobs = new Jobs();
  readonly roles: Roles;
  readonly drills: Drills;
  readonly waited = new Waited();
  now = $state(Date.now());
  /** The last thing worth saying aloud to who does not see the page. */
  announcement = $state('');
  reloading = $state(false);
  /** The program ends as soon as what goes on is at a safe point. */
  ending = $state(false);
  /** Whose sentinel is shown. */
  sentinelFor = $state<string | null>(null);
  /** Somebody closes the window, and nothing would be synced by itself any more. */
  closing = $state(false);
  readonly shown = new Shown();
  readonly zoom = new Zoom();
  readonly theme = new Theme();
  readonly sidebar = new SidebarWidth();
  /** Mirrors whose every question was answered here, and whose next sync carries that out, by repository and mirror. */
  readonly decided = new SvelteSet<string>();
  /** What was asked for elsewhere, until the page of its repository takes it. */
  wish = $state<Wish | null>(null);
  /** What is shown. */
  page = $state<Page>('repositories');
  /** The repository that a mirror is set up for; null where its source is still to be found. */
  setupFor = $state<string | null>(null);
  /** The mirror that is about to be changed, tried or taken out. */
  mirrorDeed = $state<MirrorDeed | null>(null);
  #chosen = $state<string | null>(null);
  /** Runs that hold their mirror. */
  #begun = new Set<string>();
  #merge = new Merge();
  #soon: ReturnType<typeof setTimeout> | undefined;
  #read = 0;
  #asked = 0;
  #shown = 0;

  /** The worst first. */
  repositories = $derived(byWorst(this.overview?.repositories ?? []));
  names = $derived(shownNames(this.repositories));
  /** The repository that is shown; none is where all of them are. */
  selected: RepositoryReport | null = $derived(
    this.repositories.find((report) => report.repository === this.#chosen) ??
      (this.repositories.length === 1 ? (this.repositories[0] ?? null) : null),
  );

  constructor(readonly backend: Backend) {
    this.drills = new Drills(backend, (words) => (this.announcement = words));
    this.roles = new Roles({
      backend,
      refused: (repository, failure) => {
        if (failure) this.refusals.set(repository, failure);
        else this.refusals.delete(repository);
      },
      refresh: () => this.refresh(),
    });
  }

  /** Begins to listen and reads everything once. Answers how to stop. */
  start(): () => void {
    const onFocus = () => void this.refresh();
    this.backend
      .subscribe((message) => this.hear(message))
      .catch((thrown: unknown) => (this.failure = asFailure(thrown)));
    void this.refresh();
    const timer = setInterval(() => {
      this.now = Date.now();
      for (const [place, live] of this.live) if (live.isForgotten(this.now)) this.live.delete(place);
      const elsewhere = this.repositories.some((report) =>
        report.mirrors.some((mirror) => mirror.status === 'syncing' && !this.jobOf(report.repository, mirror.id)),
      );
      if (elsewhere || this.now - this.#read >= IDLE_REFRESH) void this.refresh();
    }, TICK);
    window.addEventListener('focus', onFocus);
    return () => {
      clearInterval(timer);
      clearTimeout(this.#soon);
      window.removeEventListener('focus', onFocus);
    };
  }

  /** Shows the sentinel of a repository, on its page; of none with `null`. */
  showSentinel(repository: string | null): void {
    if (repository !== null) this.select(repository);
    this.sentinelFor = repository;
  }

  /** Answers whether the window is to be closed. */
  answerClosing(yes: boolean): void {
    // Gone only when it is heard: who closes the window while they are asked means it.
    void this.backend.closeAnswer(yes).finally(() => (this.closing = false));
  }

  /** Shows a repository, or all of them with `null`. */
  select(repository: string | null): void {
    this.#chosen = repository;
    this.page = 'repositories';
  }

  /** Shows the settings. */
  showSettings(): void {
    this.page = 'settings';
  }

  /** Begins to set a mirror up: of a repository, or of one that is still to be found. */
  showSetup(repository: string | null): void {
    this.setupFor = repository;
    this.page = 'setup';
  }

  /** Shows a repository and does there what was asked for. */
  ask(wish: Wish): void {
    this.wish = wish;
    this.select(wish.repository);
  }

  async refresh(): Promise<void> {
    await this.#take(() => this.backend.overview());
  }

  /** Reads status after an event: at once where it was not read just now, and once for many events. */
  #refreshSoon(): void {
    clearTimeout(this.#soon);
    const wait = this.#read + REST - Date.now();
    if (wait <= 0) void this.refresh();
    else this.#soon = setTimeout(() => void this.refresh(), wait);
  }

  /** Reads the configuration again. */
  async reload(): Promise<void> {
    this.reloading = true;
    await this.#take(() => this.backend.reload());
    this.reloading = false;
  }

  async #take(ask: () => Promise<Overview>): Promise<void> {
    this.#read = Date.now();
    const asked = (this.#asked += 1);
    try {
      const overview = await ask();
      // An older answer that arrives late must not replace a newer one.
      if (asked < this.#shown) return;
      this.#shown = asked;
      this.overview = this.#merge.into(this.overview, overview);
      if (this.drills.told(overview.drill)) setTimeout(() => void this.refresh(), DRILL_REST);
      this.failure = null;
      for (const job of overview.running) this.#note(job);
      if (overview.wanted) this.select(overview.wanted);
      for (const name of this.waited.whoIsBack(this.repositories)) this.announcement = `${name} is back`;
    } catch (thrown) {
      this.failure = asFailure(thrown);
    }
    this.now = Date.now();
  }

  liveOf(repository: string, mirror: string): LiveRun | undefined {
    return this.live.get(key(repository, mirror));
  }

  isFlashing(repository: string, mirror: string): boolean {
    return this.flashes.has(key(repository, mirror));
  }

  refusalOf(repository: string, mirror: string): Failure | undefined {
    return this.refusals.get(key(repository, mirror));
  }

  /** The sync that goes on in this program and works on a mirror. */
  jobOf(repository: string, mirror: string): Job | undefined {
    return this.jobs.at(repository, mirror);
  }

  /** The sync of all mirrors of a repository that goes on in this program. */
  jobOfAll(repository: string): Job | undefined {
    return this.jobs.ofAll(repository);
  }

  #note(job: Job): void {
    this.jobs.note(job);
    if (this.jobs.has(job)) this.roles.note(job);
  }

  /** Starts a sync of one mirror, or of all with `null`. `plan` is what the user saw: what it says is done, or nothing. */
  async sync(
    repository: string,
    mirror: string | null,
    yes = false,
    plan?: Plan,
    emphasis: Emphasis = {},
  ): Promise<void> {
    const mirrors = mirror === null ? [] : [mirror];
    const place = mirror === null ? repository : key(repository, mirror);
    this.refusals.delete(place);
    try {
      const choice: SyncChoice = {
        repository,
        mirrors,
        yes,
        ...(plan && { seals: { [plan.mirror]: plan.seal } }),
        ...emphasis,
      };
      this.jobs.note(await this.backend.sync(choice));
    } catch (thrown) {
      this.refusals.set(place, asFailure(thrown));
    }
  }

  async cancel(job: Job): Promise<void> {
    try {
      await this.backend.cancel(job.id);
    } catch (thrown) {
      const [mirror] = job.mirrors;
      this.refusals.set(mirror ? key(job.repository, mirror) : job.repository, asFailure(thrown));
    }
  }

  /** Looks at the mirrors of a repository; what was found shows in the overview. */
  async checkHealth(repository: string): Promise<void> {
    this.refusals.delete(repository);
    try {
      await this.backend.health(repository);
    } catch (thrown) {
      this.refusals.set(repository, asFailure(thrown));
    }
    await this.refresh();
  }

  /** Says yes to what waits, as it was shown. */
  async allow(repository: string, hash: string): Promise<void> {
    await this.#decide(repository, () => this.backend.consentAllow(repository, hash));
  }

  /** Says no to what the `.env` asks for. */
  async deny(repository: string): Promise<void> {
    await this.#decide(repository, () => this.backend.consentDeny(repository));
  }

  async #decide(repository: string, decide: () => Promise<void>): Promise<void> {
    this.refusals.delete(repository);
    try {
      await decide();
    } catch (thrown) {
      this.refusals.set(repository, asFailure(thrown));
    }
    await this.refresh();
  }

  /** Syncs nothing by itself for so many minutes, until it is resumed with `null`, or again. Answers why not. */
  async pause(to: number | null | 'resume'): Promise<Failure | null> {
    let failure: Failure | null = null;
    try {
      await (to === 'resume' ? this.backend.scheduleResume() : this.backend.schedulePause(to));
    } catch (thrown) {
      failure = asFailure(thrown);
    }
    await this.refresh();
    return failure;
  }

  dismiss(repository: string, mirror: string): void {
    this.live.delete(key(repository, mirror));
  }

  dismissRefusal(place: string): void {
    this.refusals.delete(place);
  }

  hear(events: Stamped[]): void {
    for (const event of events) this.#hearEvent(event);
  }

  #hearEvent(event: Stamped): void {
    switch (event.event) {
      case 'job_started': {
        const { job } = event;
        this.#note(job);
        this.refusals.delete(job.repository);
        if (job.what !== 'sync') break;
        for (const mirror of job.mirrors) {
          const live = new LiveRun(job.repository, mirror);
          live.hear(event);
          this.live.set(key(job.repository, mirror), live);
          this.refusals.delete(key(job.repository, mirror));
        }
        break;
      }
      case 'job_ended': {
        const { job, end } = event;
        this.jobs.end(job);
        for (const live of this.#active(job.repository)) {
          // Another job may be at it still.
          if (job.mirrors.includes(live.mirror) && !this.jobOf(job.repository, live.mirror)) live.hear(event);
        }
        this.roles.hear(job.repository, event);
        if (end.kind === 'role_change') this.announcement = roleEndWord[end.end];
        this.#refreshSoon();
        break;
      }
      case 'run_started': {
        const place = key(event.repository, event.mirror);
        this.#begun.add(event.run);
        this.decided.delete(place);
        this.live.get(place)?.hear(event);
        this.announcement = `Syncing ${event.mirror}`;
        this.#change(place, (mirror) => {
          mirror.status = 'syncing';
        });
        break;
      }
      case 'run_waiting':
        this.liveOf(event.repository, event.mirror)?.hear(event);
        this.announcement = `${event.mirror} waits for ${event.holder}`;
        break;
      case 'run_retrying':
        this.live.get(key(event.repository, event.mirror))?.hear(event);
        break;
      case 'progress':
      case 'notice':
        if (event.mirror === null) {
          for (const live of this.#active(event.repository)) live.hear(event);
        } else {
          const live = this.liveOf(event.repository, event.mirror);
          if (live?.active) live.hear(event);
        }
        break;
      case 'aspect_finished': {
        const place = key(event.repository, event.mirror);
        this.live.get(place)?.hear(event);
        this.#change(place, (mirror) => {
          mirror[event.aspect] = event.report;
        });
        break;
      }
      case 'run_finished': {
        const place = key(event.repository, event.mirror);
        this.live.get(place)?.hear(event);
        // A run that could not even begin changed nothing about its mirror.
        if (!this.#begun.delete(event.run)) break;
        this.#change(place, (mirror) => {
          mirror.status = event.status;
          mirror.error = event.error ?? undefined;
        });
        this.announcement = announce(event.mirror, event.status);
        if (event.status === 'success') this.#flash(place);
        this.#refreshSoon();
        break;
      }
      case 'role_change_started':
        // What was said under another master is no news under the next.
        for (const [place, live] of this.live) {
          if (live.repository === event.repository && !live.active) this.live.delete(place);
        }
        this.roles.hear(event.repository, event);
        this.announcement = event.headline;
        break;
      case 'role_step':
        this.roles.hear(event.repository, event);
        this.announcement = `${event.number} of ${event.of}: ${event.what}`;
        break;
      case 'schedule':
        if (event.news === 'closing') this.closing = true;
        if (event.news === 'ending') this.ending = true;
        this.#refreshSoon();
        break;
      case 'aspect_started':
      case 'change':
        this.liveOf(event.repository, event.mirror)?.hear(event);
        break;
    }
  }

  #active(repository: string): LiveRun[] {
    return [...this.live.values()].filter((live) => live.active && live.repository === repository);
  }

  /** What an event tells of a mirror, until status is read anew. */
  #change(place: string, change: (mirror: MirrorReport) => void): void {
    const mirror = this.#merge.find(this.overview, place);
    if (mirror) change(mirror);
  }

  #flash(place: string): void {
    this.flashes.add(place);
    const live = this.live.get(place);
    setTimeout(() => {
      this.flashes.delete(place);
      live?.fold();
    }, FLASH);
  }
}
