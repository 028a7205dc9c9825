// A plan in sections that can be read: one per aspect, with its changes, what stays, and what is left alone.

import type { Aspect } from '../bindings/Aspect';
import type { Change } from '../bindings/Change';
import type { CodePlan } from '../bindings/CodePlan';
import type { Divergence } from '../bindings/Divergence';
import type { Error as Failure } from '../bindings/Error';
import type { GuardReason } from '../bindings/GuardReason';
import type { NameConflict } from '../bindings/NameConflict';
import type { Notice } from '../bindings/Notice';
import type { Plan } from '../bindings/Plan';
import type { SecretsPlan } from '../bindings/SecretsPlan';
import type { VariablesPlan } from '../bindings/VariablesPlan';
import type { WorkflowsPlan } from '../bindings/WorkflowsPlan';
import { bytes, counted } from './time';
import { actionsGuardWord, refWords } from './words';

export interface Section {
  aspect: Aspect;
  /** Why it could not be computed. */
  failure: Failure | null;
  changes: Change[];
  /** What a sync could not do, with what to do about it. */
  impossible: Notice[];
  /** What else is so, a sentence each. */
  facts: string[];
  notices: Notice[];
}

export interface Concerns {
  guards: GuardReason[];
  /** New secret names that need a yes. */
  names: string[];
  diverged: Divergence[];
}

function listed(names: readonly string[]): string {
  const most = 8;
  const more = names.length - most;
  return names.slice(0, most).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function named<S extends string>(names: readonly (readonly [string, S])[], state: S): string[] {
  return names.filter(([, found]) => found === state).map(([name]) => name);
}

function conflictWords(conflict: NameConflict, mirror: string): Notice {
  const others = conflict.in_the_way.map(refWords);
  const first = conflict.in_the_way[0] ?? '';
  const verb = others.length === 1 ? 'is' : 'are';
  return {
    message: `Cannot create ${refWords(conflict.name)}: ${listed(others)} on the mirror ${verb} in its way.`,
    hint: `git keeps refs like files, so one cannot be a folder of the other. Rename it at the source, or give up the mirror’s: standin resolve ${mirror} ${first} overwrite (it is rescued first).`,
  };
}

function code(plan: CodePlan, mirror: string): Omit<Section, 'aspect' | 'failure'> {
  const changes: Change[] = plan.refs.changes.map((change) => ({
    aspect: 'code',
    action: change.action,
    name: change.name,
    before: change.old ?? undefined,
    after: change.new ?? undefined,
  }));
  if (plan.set_default_branch && plan.default_branch) {
    changes.push({ aspect: 'code', action: 'default_branch', name: plan.default_branch.replace('refs/heads/', '') });
  }
  const facts = [
    plan.refs.unchanged > 0 ? `${counted(plan.refs.unchanged, 'ref')} already in step` : '',
    plan.refs.left_alone.length > 0
      ? `Left alone, only on the mirror: ${listed(plan.refs.left_alone.map((left) => refWords(left.name)))}`
      : '',
    plan.lfs && plan.lfs.objects > 0
      ? `${counted(plan.lfs.objects, 'large file')} (${bytes(plan.lfs.bytes)}) in Git LFS`
      : '',
  ];
  const impossible = plan.refs.conflicts.map((conflict) => conflictWords(conflict, mirror));
  return { changes, impossible, facts: facts.filter(Boolean), notices: plan.notices };
}

function secrets(plan: SecretsPlan): Omit<Section, 'aspect' | 'failure'> {
  const inStep = named(plan.names, 'in_step').length;
  const missing = named(plan.names, 'missing_here');
  const unusable = named(plan.names, 'unusable');
  const foreign = named(plan.names, 'only_on_mirror');
  const fromVault = plan.names.map(([name]) => name).filter((name) => plan.sources[name] === 'vault');
  return {
    changes: plan.names.flatMap(([name, state]): Change[] =>
      state === 'create' || state === 'update' ? [{ aspect: 'secrets', action: state, name }] : [],
    ),
    impossible: [],
    facts: [
      inStep > 0 ? `${counted(inStep, 'secret')} already in step` : '',
      fromVault.length > 0 ? `Values from the vault, not .env: ${listed(fromVault)}` : '',
      missing.length > 0 ? `No value here: ${listed(missing)}` : '',
      unusable.length > 0 ? `Cannot travel under this name or with this value: ${listed(unusable)}` : '',
      foreign.length > 0 ? `Left alone, only on the mirror: ${listed(foreign)}` : '',
    ].filter(Boolean),
    notices: plan.notices,
  };
}

function variables(plan: VariablesPlan): Omit<Section, 'aspect' | 'failure'> {
  const inStep = named(plan.names, 'in_step').length;
  const missing = named(plan.names, 'missing_here');
  const unusable = named(plan.names, 'unusable');
  const foreign = named(plan.names, 'only_on_mirror');
  return {
    changes: plan.names.flatMap(([name, state]): Change[] =>
      state === 'create' || state === 'update' ? [{ aspect: 'variables', action: state, name }] : [],
    ),
    impossible: [],
    facts: [
      inStep > 0 ? `${counted(inStep, 'variable')} already in step` : '',
      missing.length > 0 ? `No value here or at the source: ${listed(missing)}` : '',
      unusable.length > 0 ? `Cannot travel under this name or with this value: ${listed(unusable)}` : '',
      foreign.length > 0 ? `Left alone, only on the mirror: ${listed(foreign)}` : '',
    ].filter(Boolean),
    notices: plan.notices,
  };
}

function workflows(plan: WorkflowsPlan): Omit<Section, 'aspect' | 'failure'> {
  const held = named(plan.listed, 'held').length;
  const active = named(plan.listed, 'active').length;
  const byOthers = named(plan.listed, 'disabled_by_others');
  return {
    changes: [
      ...plan.listed.flatMap(([name, state]): Change[] =>
        state === 'to_hold'
          ? [{ aspect: 'workflows', action: 'hold', name }]
          : state === 'to_release'
            ? [{ aspect: 'workflows', action: 'release', name }]
            : [],
      ),
      ...plan.expected.map((name): Change => ({ aspect: 'workflows', action: 'hold', name })),
    ],
    impossible: [],
    facts: [
      active + held > 0 ? `${active} active, ${held} held already` : '',
      byOthers.length > 0 ? `Switched off by others, stays so: ${listed(byOthers)}` : '',
      actionsGuardWord[plan.guard],
    ].filter(Boolean),
    notices: plan.notices,
  };
}

/** The aspects of a plan, in the order in which they are applied. */
export function sectionsOf(plan: Plan): Section[] {
  const found: Section[] = [];
  function add<P>(
    aspect: Aspect,
    planned: { ready: P } | { failed: Failure } | null,
    read: (ready: P) => Omit<Section, 'aspect' | 'failure'>,
  ) {
    if (planned === null) return;
    if ('failed' in planned)
      found.push({ aspect, failure: planned.failed, changes: [], impossible: [], facts: [], notices: [] });
    else found.push({ aspect, failure: null, ...read(planned.ready) });
  }
  add('code', plan.code, (ready) => code(ready, plan.mirror));
  add('secrets', plan.secrets, secrets);
  add('variables', plan.variables, variables);
  add('workflows', plan.workflows, workflows);
  return found;
}

/** What in a plan waits for the user. */
export function concernsOf(plan: Plan): Concerns {
  const refs = plan.code && 'ready' in plan.code ? plan.code.ready : null;
  const secretsPlan = plan.secrets && 'ready' in plan.secrets ? plan.secrets.ready : null;
  return {
    guards: [...plan.guard, ...(refs?.guard ?? [])],
    names: secretsPlan ? named(secretsPlan.names, 'needs_yes') : [],
    diverged: refs?.refs.diverged ?? [],
  };
}
