// Package k8s holds the manifests; its tests keep them in step with the program.
package k8s

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// object is as much of a Kubernetes object as the rules below look at.
type object struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		Replicas int
		Strategy struct{ Type string }
		Template struct {
			Spec struct {
				AutomountServiceAccountToken  *bool `yaml:"automountServiceAccountToken"`
				TerminationGracePeriodSeconds int   `yaml:"terminationGracePeriodSeconds"`
				SecurityContext               struct {
					RunAsNonRoot bool `yaml:"runAsNonRoot"`
				} `yaml:"securityContext"`
				Containers []container
			}
		}
	}
}

type container struct {
	Name, Image                                 string
	Args                                        []string
	StartupProbe, ReadinessProbe, LivenessProbe probe
	Resources                                   struct{ Requests, Limits map[string]string }
	SecurityContext                             struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
	} `yaml:"securityContext"`
}

type probe struct {
	HTTPGet struct{ Path string } `yaml:"httpGet"`
}

func (c *container) UnmarshalYAML(n *yaml.Node) error {
	type plain container
	aux := struct {
		*plain `yaml:",inline"`
		S      probe `yaml:"startupProbe"`
		R      probe `yaml:"readinessProbe"`
		L      probe `yaml:"livenessProbe"`
	}{plain: (*plain)(c)}
	err := n.Decode(&aux)
	c.StartupProbe, c.ReadinessProbe, c.LivenessProbe = aux.S, aux.R, aux.L
	return err
}

func manifests(t *testing.T) []object {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	var all []object
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for d := yaml.NewDecoder(bytes.NewReader(b)); ; {
			var o object
			if err := d.Decode(&o); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			all = append(all, o)
		}
	}
	return all
}

// Two nodes on one journal would be refused by its lock; a rolling update would then never finish.
func TestTheEmbeddedNodeIsAloneAndReplacedOnlyAfterItHasStopped(t *testing.T) {
	found := false
	for _, o := range manifests(t) {
		if o.Kind != "Deployment" {
			continue
		}
		found = true
		if o.Spec.Replicas != 1 || o.Spec.Strategy.Type != "Recreate" {
			t.Errorf("%s: replicas %d, strategy %q", o.Metadata.Name, o.Spec.Replicas, o.Spec.Strategy.Type)
		}
		if o.Spec.Template.Spec.TerminationGracePeriodSeconds < 45 {
			t.Errorf("%s: killed before it has drained", o.Metadata.Name)
		}
	}
	if !found {
		t.Fatal("no deployment")
	}
}

func TestEveryContainerIsProbedBoundedAndUnprivileged(t *testing.T) {
	for _, o := range manifests(t) {
		pod := o.Spec.Template.Spec
		if len(pod.Containers) == 0 {
			continue
		}
		if !pod.SecurityContext.RunAsNonRoot || pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
			t.Errorf("%s: runs as root or with an API token", o.Metadata.Name)
		}
		for _, c := range pod.Containers {
			if c.StartupProbe.HTTPGet.Path != "/readyz" || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.LivenessProbe.HTTPGet.Path != "/livez" {
				t.Errorf("%s/%s: probes %q %q %q", o.Metadata.Name, c.Name,
					c.StartupProbe.HTTPGet.Path, c.ReadinessProbe.HTTPGet.Path, c.LivenessProbe.HTTPGet.Path)
			}
			if c.Resources.Requests["cpu"] == "" || c.Resources.Limits["memory"] == "" {
				t.Errorf("%s/%s: no resources", o.Metadata.Name, c.Name)
			}
			if e := c.SecurityContext.AllowPrivilegeEscalation; e == nil || *e || !c.SecurityContext.ReadOnlyRootFilesystem {
				t.Errorf("%s/%s: may escalate or write its root", o.Metadata.Name, c.Name)
			}
		}
	}
}

// A flag that was renamed must not be found out by a crash loop in production.
func TestTheFlagsInTheManifestExist(t *testing.T) {
	help, err := exec.Command("go", "run", "../cmd/suanpan", "serve", "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("serve --help: %v\n%s", err, help)
	}
	words := strings.Fields(string(help))
	for _, o := range manifests(t) {
		for _, c := range o.Spec.Template.Spec.Containers {
			for _, arg := range c.Args {
				flag, _, _ := strings.Cut(arg, "=")
				if strings.HasPrefix(flag, "--") && !slices.Contains(words, flag) {
					t.Errorf("%s/%s: serve has no flag %s", o.Metadata.Name, c.Name, flag)
				}
			}
		}
	}
}
