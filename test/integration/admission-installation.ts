/**
 * An installation whose replicas review what the API server is asked: processes beside a control
 * plane without nodes, which it reaches through a balancer in place of a Service. Its configurations
 * hold for the whole cluster, so that there is one at a time; they go with it.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inject } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import { isKubeError } from '../../src/kube/errors.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import {
  CONFIG_MAPS,
  EVENTS,
  MUTATING_POLICIES,
  MUTATING_POLICY_BINDINGS,
  MUTATING_WEBHOOKS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
  VALIDATING_WEBHOOKS,
} from '../../src/kube/resources.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { eventually } from '../eventually.ts';
import { startBalancer } from './balancer.ts';
import type { Balancer } from './balancer.ts';
import { createInstallation } from './installation.ts';
import type { Installation } from './installation.ts';
import { runProgram } from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';

export interface AdmissionOptions {
  /** Members of `admission` and `emergency` in the operator's configuration. */
  readonly admission?: Readonly<Record<string, unknown>>;
  readonly emergency?: Readonly<Record<string, unknown>>;
}

export interface AdmissionInstallation extends Installation {
  readonly balancer: Balancer;
  /** Starts a replica that reviews; resolves when it serves and admission guards. */
  start(identity: string, args?: readonly string[]): Promise<OperatorProcess>;
  /** Those that run, the first one first. */
  running(): readonly OperatorProcess[];
  /** Where their webhook servers listen. */
  ports(): readonly number[];
  /** Stops all replicas; `startAgain` starts as many, under the same names. */
  stopAll(): Promise<{ startAgain(): Promise<AsyncDisposable> }>;
  /** Resolves when the leader says that admission guards, or does not. */
  guards(isExpected?: boolean): Promise<void>;
  deleteWebhooks(): Promise<void>;
  /** Resolves when an Event of this reason names `text`. */
  noticed(reason: string, text: string): Promise<void>;
  /** The program about this installation, as the cluster's admin unless told. */
  command(
    args: readonly string[],
    kubeconfig?: string,
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}

const WEBHOOKS = [VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS] as const;
const POLICIES = [
  VALIDATING_POLICY_BINDINGS,
  VALIDATING_POLICIES,
  MUTATING_POLICY_BINDINGS,
  MUTATING_POLICIES,
] as const;

export async function createAdmissionInstallation(
  options: AdmissionOptions = {},
): Promise<AdmissionInstallation> {
  await using building = new AsyncDisposableStack();
  const balancer = building.use(await startBalancer());
  const installation = building.use(await createInstallation());
  const { client, namespace, program, scratch } = installation;
  // Before the namespace goes, so that nothing waits for a webhook that is away.
  building.defer(() => removeConfigurations(client));
  const config = path.join(scratch, 'operator.yaml');
  await writeFile(
    config,
    JSON.stringify({
      admission: {
        enabled: true,
        port: 0,
        host: '127.0.0.1',
        url: `https://127.0.0.1:${balancer.port}`,
        ...options.admission,
      },
      emergency: options.emergency ?? {},
    }),
  );
  const processes = building.use(new AsyncDisposableStack());
  const replicas = new Map<string, OperatorProcess>();
  const ports = new Map<OperatorProcess, number>();

  async function start(identity: string, args: readonly string[] = []): Promise<OperatorProcess> {
    const operator = await installation.start(identity, ['--config', config, ...args]);
    processes.use(operator);
    const port = await eventually(
      () => {
        const found = /"port":(\d+),"message":"Serving admission"/.exec(operator.output())?.[1];
        return found === undefined ? undefined : Number(found);
      },
      { what: `the webhook server; the operator printed ${operator.output()}` },
    );
    await eventually(() => operator.output().includes('"message":"Ready"') || undefined, {
      what: `the replica to be ready; it printed ${operator.output()}`,
      timeoutMs: 30_000,
    });
    const takeOut = balancer.add(port);
    replicas.set(identity, operator);
    ports.set(operator, port);
    void operator.exited.finally(() => {
      takeOut();
      if (replicas.get(identity) === operator) replicas.delete(identity);
    });
    await guards();
    return operator;
  }

  async function guards(isExpected = true): Promise<void> {
    const state = async (): Promise<unknown> => {
      const found = await client.find(CONFIG_MAPS, { namespace, name: 'strongroom-status' });
      const { conditions = [] } = JSON.parse(found?.data?.['status'] ?? '{}') as {
        readonly conditions?: readonly { readonly type: string; readonly status: string }[];
      };
      return conditions.find(({ type }) => type === 'AdmissionGuards');
    };
    let last: unknown;
    try {
      await eventually(
        async () => {
          last = await state();
          const { status } = Object(last) as { readonly status?: string };
          return status === (isExpected ? 'True' : 'False') || undefined;
        },
        { what: 'AdmissionGuards', timeoutMs: 60_000, intervalMs: 200 },
      );
    } catch (error) {
      const printed = [...replicas.values()].map((operator) => operator.output().slice(-4000));
      throw new Error(
        `AdmissionGuards is ${JSON.stringify(last)}; the operators printed ${printed.join('\n')}`,
        { cause: error },
      );
    }
  }

  const cleanup = building.move();
  return {
    ...installation,
    balancer,
    start,
    guards,
    running: () => [...replicas.values()],
    ports: () => [...replicas.values()].flatMap((operator) => ports.get(operator) ?? []),
    async stopAll() {
      const identities = [...replicas.keys()];
      await Promise.all([...replicas.values()].map((operator) => operator.stop()));
      return {
        async startAgain() {
          for (const identity of identities) await start(identity);
          // They end with the installation: what is taken away before has to be let through by them.
          return { [Symbol.asyncDispose]: () => Promise.resolve() };
        },
      };
    },
    deleteWebhooks: async () => {
      for (const resource of WEBHOOKS) await removeOwn(client, resource);
    },
    async noticed(reason, text) {
      await eventually(
        async () => {
          const { items } = await client.list(EVENTS, { allNamespaces: true });
          return items.some(
            (event) => event.reason === reason && JSON.stringify(event).includes(text),
          );
        },
        { what: `an Event ${reason} about ${text}`, timeoutMs: 60_000, intervalMs: 500 },
      );
    },
    command(args, kubeconfig = inject('kubeconfig')) {
      const isAboutIt = ['admission', 'doctor', 'status'].includes(args[0] ?? '');
      const where = isAboutIt ? ['--operator-namespace', namespace] : [];
      return runProgram(program, [...args, ...where], { kubeconfig });
    },
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}

/** An installation with so many replicas, all of them ready and guarding. */
export async function startGuardedInstallation(
  options: AdmissionOptions & { readonly replicas?: number } = {},
): Promise<AdmissionInstallation> {
  const { replicas = 1, ...rest } = options;
  const installation = await createAdmissionInstallation(rest);
  for (let place = 1; place <= replicas; place += 1) await installation.start(`replica-${place}`);
  return installation;
}

/** As an administrator takes the emergency exit. */
async function removeConfigurations(client: KubeClient): Promise<void> {
  for (const resource of [...WEBHOOKS, ...POLICIES]) await removeOwn(client, resource);
}

async function removeOwn(client: KubeClient, resource: Resource<KubeObject>): Promise<void> {
  try {
    const { items } = await client.list(resource, { allNamespaces: true });
    for (const { metadata } of items) {
      if (metadata.labels?.['app.kubernetes.io/managed-by'] !== 'strongroom') continue;
      await client.delete(resource, { name: metadata.name });
    }
  } catch (error) {
    // Not served by this version, or gone meanwhile.
    if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
  }
}
