import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Finding } from '#api/access-policy.ts';

export interface AccessMetrics {
  administrators(count: number): void;
  findings(findings: readonly Finding[]): void;
  rbacObjects(policy: string, count: number): void;
  forget(policy: string): void;
  restored(): void;
}

const SEVERITIES = ['Info', 'Warning', 'Critical'] as const;

export function createAccessMetrics(registry: Registry): AccessMetrics {
  const registers = [registry];
  const administrators = new Gauge({
    name: 'strongroom_access_administrators',
    help: 'Subjects that hold ManageUsers at Admin by a policy',
    registers,
  });
  const findings = new Gauge({
    name: 'strongroom_access_findings',
    help: 'Weaknesses of RBAC that lets somebody round the policies, by severity',
    labelNames: ['severity'] as const,
    registers,
  });
  const objects = new Gauge({
    name: 'strongroom_access_rbac_objects',
    help: 'Roles and RoleBindings that stand for a policy',
    labelNames: ['policy'] as const,
    registers,
  });
  const restored = new Counter({
    name: 'strongroom_access_restored_total',
    help: 'Roles and RoleBindings that others changed or deleted and that were put back',
    registers,
  });
  return {
    administrators: (count) => administrators.set(count),
    findings(found) {
      for (const severity of SEVERITIES) {
        findings.set({ severity }, found.filter((one) => one.severity === severity).length);
      }
    },
    rbacObjects: (policy, count) => objects.set({ policy }, count),
    forget: (policy) => objects.remove({ policy }),
    restored: () => restored.inc(),
  };
}
