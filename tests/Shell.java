import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;

/** Runs cells in JShell as Java kernels do: statement by statement, the rest only after success. */
class Shell {
    public static void main(String[] files) throws Exception {
        try (JShell shell = JShell.builder().executionEngine("local").build()) {
            SourceCodeAnalysis analysis = shell.sourceCodeAnalysis();
            for (String file : files) {
                String rest = Files.readString(Path.of(file));
                while (!rest.isBlank()) {
                    SourceCodeAnalysis.CompletionInfo found = analysis.analyzeCompletion(rest);
                    if (!found.completeness().isComplete()) {
                        fail("incomplete: " + rest);
                    }
                    for (SnippetEvent event : shell.eval(found.source())) {
                        if (event.status() == Snippet.Status.REJECTED || event.exception() != null) {
                            shell.diagnostics(event.snippet()).forEach(d -> System.err.println(d.getMessage(null)));
                            fail(found.source() + event.exception());
                        }
                    }
                    rest = found.remaining();
                }
            }
        }
        System.exit(0);
    }

    static void fail(String why) {
        System.err.println(why);
        System.exit(1);
    }
}
