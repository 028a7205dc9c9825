// A backend without an application: it answers from memory and says what it is told to say.

import type { Backend } from '../lib/backend';
import type { RoleChoice } from '../lib/bindings/RoleChoice';
import type { RoleOutcome } from '../lib/bindings/RoleOutcome';
import type { RolePlan } from '../lib/bindings/RolePlan';
import type { Error as Failure } from '../lib/bindings/Error';
import type { Job } from '../lib/bindings/Job';
import type { Overview } from '../lib/bindings/Overview';
import type { Plan } from '../lib/bindings/Plan';
import type { Stamped } from '../lib/bindings/Stamped';
import { FakeDrill } from './fake_drill';
import { OTHER_OID, ago, ended, job, plan, rolePlan, started } from './fake_values';

export { dot, madeChanges, run, track } from './fake_activity';
export * from './fake_values';

export class FakeBackend extends FakeDrill implements Backend {
  plans: Plan[] = [plan()];
  #hear: ((events: Stamped[]) => void) | null = null;
  #jobs = 0;

  constructor(public answer: Overview) {
    super();
  }

  /** Says that something happened. */
  say(...events: Stamped[]): void {
    this.#hear?.(events);
  }

  /** Says that a job is through. */
  endJob(id: string, mirrors: string[]): void {
    this.say(ended(job({ id, mirrors })));
  }

  overview: Backend['overview'] = async () => structuredClone(this.answer);
  reload: Backend['reload'] = async () => {
    this.called('reload');
    return structuredClone(this.answer);
  };
  consentAllow: Backend['consentAllow'] = async (...values) => this.called('consentAllow', ...values);
  consentDeny: Backend['consentDeny'] = async (...values) => this.called('consentDeny', ...values);
  plan: Backend['plan'] = async (choice) => {
    this.called('plan', choice);
    return structuredClone(this.plans);
  };
  sync: Backend['sync'] = async (choice) => {
    this.called('sync', choice);
    this.#jobs += 1;
    const { repository, mirrors } = choice;
    const known = this.answer.repositories.find((report) => report.repository === repository)?.mirrors ?? [];
    const all = known.filter((mirror) => mirror.enabled).map((mirror) => mirror.id);
    const of_all = mirrors.length === 0;
    return job({ id: `job-${this.#jobs}`, repository, mirrors: of_all ? all : mirrors, of_all });
  };
  cancel: Backend['cancel'] = async (job) => {
    this.called('cancel', job);
    return true;
  };
  health: Backend['health'] = async (repository) => this.called('health', repository);
  resolve: Backend['resolve'] = async (...values) => {
    this.called('resolve', ...values);
    return 'Decided; the next sync does it.';
  };
  audit: Backend['audit'] = async () => [
    {
      at_iso: ago(125),
      actor: 'you@desk (desktop)',
      action: 'sync',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      detail: '2 changes',
      outcome: 'ok',
    },
  ];
  rescues: Backend['rescues'] = async () => [
    {
      id: 'r1',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      ref_name: 'refs/heads/topic',
      oid: OTHER_OID,
      reason: 'overwrite',
      created_iso: ago(90_000),
      run: 'run-1',
    },
  ];
  rescueRestore: Backend['rescueRestore'] = async (id) => {
    this.called('rescueRestore', id);
    return 'Restored branch topic on mirror-1.';
  };
  tokenCheck: Backend['tokenCheck'] = async (_repository, mirror) => ({
    place: mirror ?? 'source',
    host: 'github.com',
    repository: mirror ? 'backup-account/orchestrator' : 'you/orchestrator',
    origin: 'keychain',
    login: mirror ? 'backup-account' : 'you',
    kind: 'classic',
    scopes: ['repo', 'workflow'],
    expires_iso: null,
    days_left: null,
    rights: [],
    notices: [],
  });
  tokenSet: Backend['tokenSet'] = async (...values) => this.called('tokenSet', ...values);
  /** What a change of master would do; a failure where it cannot be told. */
  rolePlanned: (choice: RoleChoice) => RolePlan | Failure = (choice) =>
    rolePlan({ repository: choice.repository, mirror: choice.mirror });
  rolePlan: Backend['rolePlan'] = async (choice) => {
    this.called('rolePlan', choice);
    const planned = this.rolePlanned(choice);
    if ('code' in planned) throw planned;
    return planned;
  };
  /** Lets the change of master that goes on end so; the page hears of it before. */
  endRole: (end: RoleOutcome['end'], error?: Failure) => void = () => {};
  roleChange: Backend['roleChange'] = async (choice) => {
    this.called('roleChange', choice);
    return this.#changing(choice.repository, choice.mirror, choice.goal);
  };
  roleEnd: Backend['roleEnd'] = async (repository, mirror, choice) => {
    this.called('roleEnd', repository, mirror, choice);
    return this.#changing(repository, mirror, choice);
  };
  #changing(repository: string, mirror: string, what: Job['what']): Promise<RoleOutcome> {
    this.#jobs += 1;
    const of = job({ id: `job-${this.#jobs}`, what, repository, mirrors: [mirror] });
    this.say(started(of));
    return new Promise((resolve) => {
      this.endRole = (end, error) => {
        this.say({
          at_iso: ago(-9),
          event: 'job_ended',
          job: of,
          end: { kind: 'role_change', end, error: error ?? null },
        });
        resolve({ repository, mirror, headline: '', end, error: error ?? null, seconds: 5 });
      };
    });
  }
  tokenRemove: Backend['tokenRemove'] = async (...values) => {
    this.called('tokenRemove', ...values);
    return true;
  };
  subscribe: Backend['subscribe'] = async (hear) => {
    this.#hear = hear;
  };
}
