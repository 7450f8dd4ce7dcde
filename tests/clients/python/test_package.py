"""The wheel and the source archive, by Debian's build tools: made, installed, imported."""

import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
SOURCE = ROOT / "clients" / "python"


def run(*command, cwd):
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


class ThePackage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.work = pathlib.Path(cls.folder.name)
        run(ROOT / "packaging" / "clients", "python", cls.work, cwd=cls.work)
        cls.version = re.search(r"project\([^)]*VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
        cls.wheel = cls.work / f"cachewarden-{cls.version}-py3-none-any.whl"
        cls.sdist = cls.work / f"cachewarden-{cls.version}.tar.gz"
        cls.modules = {str(path.relative_to(SOURCE)) for path in SOURCE.glob("cachewarden/**/*.py")}

    def test_has_every_module_and_nothing_else(self):
        with zipfile.ZipFile(self.wheel) as wheel:
            names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        self.assertEqual(names, self.modules)
        with tarfile.open(self.sdist) as sdist:
            names = {name.partition("/")[2] for name in sdist.getnames()}
        self.assertLessEqual({*self.modules, "README.md", "pyproject.toml"}, names)

    def test_depends_on_nothing(self):
        with zipfile.ZipFile(self.wheel) as wheel:
            metadata = wheel.read(f"cachewarden-{self.version}.dist-info/METADATA").decode()
        self.assertNotIn("Requires-Dist", metadata)
        self.assertIn(f"Version: {self.version}\n", metadata)

    def test_is_installed_and_imported(self):
        target = self.work / "target"
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps")
        run(*pip, "--target", target, self.wheel, cwd=self.work)
        script = f"import sys; sys.path.insert(0, {str(target)!r}); import cachewarden; print(cachewarden.__file__, " \
                 "cachewarden.__version__, cachewarden.Client('http://127.0.0.1:1').view({}))"
        self.assertEqual(run(sys.executable, "-I", "-c", script, cwd=self.work),
                         f"{target}/cachewarden/__init__.py {self.version} "
                         "View(user_id=None, version=None, must_bypass=False)\n")


if __name__ == "__main__":
    unittest.main()
