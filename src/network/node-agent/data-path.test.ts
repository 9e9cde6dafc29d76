import { describe, expect, it } from 'vitest';
import { dataPathProblems } from './data-path.ts';

describe('dataPathProblems', () => {
  it.each([
    ['kube-proxy and a bridge', ['lo', 'eth0', 'cni0', 'veth1'], false, 0],
    ['Calico with iptables', ['lo', 'eth0', 'cali1234', 'tunl0'], false, 0],
    ['Cilium', ['lo', 'eth0', 'cilium_net', 'cilium_host', 'lxc1'], false, 1],
    ['Cilium with legacy host routing', ['lo', 'cilium_net', 'cilium_host'], true, 0],
    ['Calico with eBPF', ['lo', 'bpfin.cali', 'bpfout.cali'], false, 1],
    ['Calico with eBPF, whatever is said of Cilium', ['bpfin.cali'], true, 1],
  ])('%s', (_, interfaces, ciliumLegacyHostRouting, count) => {
    const problems = dataPathProblems(interfaces, { ciliumLegacyHostRouting });
    expect(problems).toHaveLength(count);
    for (const { type, message } of problems) {
      expect(type).toBe('DataPathBypassesNetfilter');
      expect(message).toMatch(/^the interface .* Use Strongroom's .* backend/);
    }
  });
});
