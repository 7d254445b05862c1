"""Chinese for lines about the set-up: Label Studio, labelling configs, encoders, what cannot be learned or found."""

_VARIABLE = r"(?P<name>[A-Z][A-Z0-9_]+)"
_STUDIO = r"Label Studio at (?P<place>\S+)"
_COMMAND = r"`(?P<command>tagloom [^`]+)`"

SETUP = (
    # Label Studio, as `labelstudio.reachability` and `labelstudio.api` say it.
    (
        rf"{_STUDIO} does not answer \((?P<error>\w+)\): start it, or correct {_VARIABLE}",
        "{place} 的 Label Studio 没有响应（{error}）：请启动它，或更正 {name}",
    ),
    (
        rf"{_STUDIO} redirects to (?P<to>\S+): set {_VARIABLE} to \S+",
        "{place} 的 Label Studio 重定向到 {to}：请将 {name} 设为该地址",
    ),
    (
        rf"{_STUDIO} has a certificate that is not trusted here \((?P<why>[^)]*)\): set SSL_CERT_FILE, for the backend "
        "and all workers, to a file with the certificate of who signed it",
        "{place} 的 Label Studio 的证书在此不受信任（{why}）：请为后端和所有 worker 将 SSL_CERT_FILE 设为"
        "含签发者证书的文件",
    ),
    (
        rf"{_STUDIO} does not speak TLS: set {_VARIABLE} to (?P<to>\S+) if it is served without",
        "{place} 的 Label Studio 不使用 TLS：若确实如此，请将 {name} 设为 {to}",
    ),
    (
        rf"{_STUDIO} ends the connection unanswered: set {_VARIABLE} to (?P<to>\S+) if it is served by TLS",
        "{place} 的 Label Studio 未应答就断开连接：若它使用 TLS，请将 {name} 设为 {to}",
    ),
    (
        r"(?P<place>\S+) is no Label Studio \((?P<status>\d+), no JSON\): check "
        rf"{_VARIABLE}; (?:is a path missing, such as /label-studio\?|is the path \S+ right\?)",
        "{place} 不是 Label Studio（{status}，没有 JSON）：请检查 {name} 及其中的路径",
    ),
    (
        r"(?P<what>[A-Z]+ /\S+) at Label Studio: (?P<status>\d+): give the user of "
        rf"{_VARIABLE} the right to it",
        "Label Studio 对 {what} 返回 {status}：请为 {name} 的用户授予相应权限",
    ),
    (
        r"(?P<what>[A-Z]+ /\S+) at Label Studio: (?P<status>\d+): its log says why",
        "Label Studio 对 {what} 返回 {status}：原因见其日志",
    ),
    # Labelling configs: `labelstudio.config`. A control is named before.
    (r"(?P<tag><\w+(?: name=\"[^\"]*\")?/?>)(?=: )", "{tag}"),
    (r"it is read as gold, not predicted", "只作为人工标注读取，不做预测"),
    (r"Tagloom has no such control", "Tagloom 不支持此控件"),
    (r"it needs both a name and a toName that names an <Image> tag", "需要 name，以及指向 <Image> 标签的 toName"),
    (r"it asks about single regions \(perRegion\)", "它针对单个区域提问（perRegion）"),
    (
        r"no tag has the name (?P<tag>\"[^\"]*\"): add it or change toName",
        "没有名为 {tag} 的标签：请添加，或修改 toName",
    ),
    (r"it needs an (?P<tag><Image [^>]*>) to draw on: add one", "需要 {tag} 才能画框：请添加"),
    (r"it belongs to another object than the picture that Tagloom reads", "它所属的对象不是 Tagloom 读取的图片"),
    (r"it lists no labels: write each as (?P<tag><[^>]*>) inside it", "其中没有标签：请在其内部逐个写为 {tag}"),
    (
        r"it takes its labels from task data \((?P<value>[^)]*)\): write each as (?P<tag><[^>]*>) inside it",
        "它的标签取自任务数据（{value}）：请在其内部逐个写为 {tag}",
    ),
    (
        r"No usable control: add <Choices name=\.\.\. toName=\.\.\.> or <RectangleLabels name=\.\.\. toName=\.\.\.> to "
        r"the config, pointing at its <Image> \(or <Text>\) tag\. ?",
        "没有可用的控件：请在配置中添加 <Choices name=... toName=...> 或 <RectangleLabels name=... toName=...>，"
        "并指向其 <Image>（或 <Text>）标签。",
    ),
    # What cannot be learned yet: `model.problem`.
    (r"none of (?P<count>\d+) gold items has it", "{count} 个已标注任务中都没有"),
    (r"all of (?P<count>\d+) gold items have it", "{count} 个已标注任务中全都有"),
    (r"there is no gold", "尚无标注"),
    # Encoders: `model.encoders`, and the better ones in `model.encoders.auto`.
    (r"EfficientNet-Lite0 \(trained on photographs, ImageNet\)", "EfficientNet-Lite0（用照片训练，ImageNet）"),
    (r"EfficientNet-Lite0 \(trained on photographs, brought by pip\)", "EfficientNet-Lite0（用照片训练，由 pip 安装）"),
    (r"shipped small encoder \(trained on drawings\)", "自带的小型编码器（用绘制的图片训练）"),
    (
        r"shipped small BERT \(trained on generated titles and copy only\)",
        "自带的小型 BERT（仅用生成的标题和文案训练）",
    ),
    (
        r"rapidocr (?P<version>[\d.]+) \(PP-OCR models inside its wheel, OpenVINO\)",
        "rapidocr {version}（内置 PP-OCR 模型，OpenVINO）",
    ),
    (
        r"instead of (?P<used>\S+), ResNet50 of torchvision \((?P<size>\d+ MB), trained on photographs\)",
        "可取代 {used}：torchvision 的 ResNet50（{size}，用照片训练）",
    ),
    (
        r"instead of (?P<used>\S+), BERT base Chinese \((?P<size>\d+ MB), trained on Wikipedia\)",
        "可取代 {used}：BERT base Chinese（{size}，用维基百科训练）",
    ),
    (r"instead of (?P<used>\S+), (?=EfficientNet-Lite0)", "可取代 {used}："),
    (r"the encoder of the study that Tagloom follows", "Tagloom 所依据研究中的编码器"),
    (
        r"; it takes (?P<times>[\d.]+) times as long as (?P<than>\S+) and was not measured by us",
        "；耗时为 {than} 的 {times} 倍，我们未做测量",
    ),
    (r"; not measured by us", "；我们未做测量"),
    (
        r"on shop photographs the tags' macro-F1 was (?P<low>[.\d]+) to (?P<high>[.\d]+) better from (?P<count>\d+) "
        "labelled products on, boxes the same",
        "在店铺照片上，标注 {count} 个商品起标签的 macro-F1 高 {low} 至 {high}，框相同",
    ),
    (rf"{_COMMAND} and `(?P<then>tagloom [^`]+)`", "先 `{command}`，再 `{then}`"),
    (_COMMAND, "`{command}`"),
    # Finding items: `worker.search.finding`.
    (
        r"no item of (?P<project>\S+) can be found yet: its pictures are being read, or no worker runs "
        r"\(`tagloom status` says which\)",
        "{project} 中暂时找不到商品：正在读取图片，或没有运行中的 worker（`tagloom status` 会说明）",
    ),
    (
        r"(?P<project>\S+) has no task (?P<task>\d+) that was read: see its id in Label Studio, or wait until it is "
        "read",
        "{project} 中没有已读取的任务 {task}：请在 Label Studio 中查看其编号，或等待读取",
    ),
    (r"; ", "；"),
)
"""Pairs of a pattern and its Chinese, as in `backend.pages.said`."""
