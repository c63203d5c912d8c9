// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package importing

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"servicestage.dev/operator/internal/cli/kinds"
	"servicestage.dev/operator/internal/cli/output"
)

// manifest is one object, ready to be written.
type manifest struct {
	file    string
	content map[string]any
	data    []byte
}

func (i *importer) manifests() ([]manifest, error) {
	var all []manifest
	for _, item := range i.items {
		content, err := output.Clean(item.Object)
		if err != nil {
			return nil, err
		}
		m := manifest{content: content, file: strings.ReplaceAll(kinds.Title(item.Object), "/", "-") + "." + string(i.options.Format)}
		if i.options.Format == output.JSON {
			var b bytes.Buffer
			err = output.Write(&b, output.JSON, content)
			m.data = b.Bytes()
		} else {
			m.data, err = output.Manifest(content, item.Notes)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// write writes the manifests and returns what to say of it.
func (i *importer) write(out io.Writer) (string, error) {
	all, err := i.manifests()
	if err != nil {
		return "", err
	}
	written := fmt.Sprintf("Wrote %s", counted(len(all)))
	switch {
	case i.options.Dir != "":
		return written + " to " + i.options.Dir, writeFiles(i.options.Dir, all, i.options.Overwrite)
	case i.options.Format == output.JSON:
		list := map[string]any{"apiVersion": "v1", "kind": "List", "items": contents(all)}
		return written, output.Write(out, output.JSON, list)
	}
	for n, m := range all {
		if n > 0 {
			m.data = append([]byte("---\n"), m.data...)
		}
		if _, err := out.Write(m.data); err != nil {
			return "", err
		}
	}
	return written, nil
}

func counted(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}

func contents(all []manifest) []any {
	items := []any{}
	for _, m := range all {
		items = append(items, m.content)
	}
	return items
}

// writeFiles writes each manifest to a file of its own, whole or not at all, and none where one is in the way.
func writeFiles(dir string, all []manifest, overwrite bool) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, m := range all {
		_, err := os.Lstat(filepath.Join(dir, m.file))
		if err == nil && !overwrite {
			return fmt.Errorf("%s is there already: choose another folder, or replace what is there with --overwrite; nothing was written", filepath.Join(dir, m.file))
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for _, m := range all {
		if err := writeFile(dir, m); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(dir string, m manifest) (err error) {
	temporary, err := os.CreateTemp(dir, ".import-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary.Name()))
		}
	}()
	if _, err = temporary.Write(m.data); err != nil {
		return errors.Join(err, temporary.Close())
	}
	if err = temporary.Close(); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), filepath.Join(dir, m.file))
}
