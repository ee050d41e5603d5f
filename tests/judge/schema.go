package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// printProblems reads JSON documents and prints one line for each: nothing if
// it is valid by the schema, formats included, else what is wrong.
func printProblems(in io.Reader, path string) error {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(path)
	if err != nil {
		return err
	}
	documents := json.NewDecoder(in)
	documents.UseNumber()
	for {
		var document any
		err := documents.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		problem := ""
		if err := schema.Validate(document); err != nil {
			problem = strings.Join(strings.Fields(err.Error()), " ")
		}
		fmt.Println(problem)
	}
}
