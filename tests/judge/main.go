// Prints every document below the given folders as kubectl reads it: the
// second opinion on the reader in manifest/.
//
// One line a document: path, index among the documents that hold something,
// and its JSON, or the word ERROR. The splitter and the reader are those that
// kubectl uses (k8s.io/apimachinery/pkg/util/yaml, sigs.k8s.io/yaml).
//
// With the word `quantity` it judges quantities from standard input instead
// (quantity.go); with `schema FILE`, documents by a JSON Schema (schema.go).
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 1 && arguments[0] == "quantity":
		return printQuantities(os.Stdin)
	case len(arguments) == 2 && arguments[0] == "schema":
		return printProblems(os.Stdin, arguments[1])
	}
	for _, root := range arguments {
		if err := filepath.WalkDir(root, visit); err != nil {
			return err
		}
	}
	return nil
}

func visit(path string, entry fs.DirEntry, err error) error {
	extension := filepath.Ext(path)
	if err != nil || entry.IsDir() || (extension != ".yaml" && extension != ".yml") {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return printDocuments(path, text)
}

func printDocuments(path string, text []byte) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for index := 0; ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		json, err := sigsyaml.YAMLToJSON(document)
		if err != nil {
			json = []byte("ERROR")
		}
		if string(json) != "null" {
			fmt.Printf("%s\t%d\t%s\n", path, index, json)
			index++
		}
	}
}
