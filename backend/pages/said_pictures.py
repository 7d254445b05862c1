"""Chinese for the reasons why a picture cannot be had, as `labelstudio.images` and what it uses give them."""

_HOST = r"(?P<host>[^\s':]+)"
_MEGABYTES = r"(?P<size>[\d.]+(?:e[+-]?\d+)?) MB"
_VARIABLE = r"(?P<name>[A-Z][A-Z0-9_]+)"

PICTURES = (
    (r"the task names no picture", "任务中没有图片地址"),
    (
        r"the picture cannot be fetched \((?P<error>\w+)\): check its address",
        "无法获取图片（{error}）：请检查其地址",
    ),
    (r"a cloud picture needs its task's id to be resolved", "云存储图片需要任务编号才能解析"),
    (
        r"the picture's address is neither a URL nor a path of Label Studio: write it with https:// or a /",
        "图片地址既不是 URL，也不是 Label Studio 的路径：请以 https:// 或 / 开头",
    ),
    (rf"{_HOST} redirects the picture to what is no URL", "{host} 将图片重定向到无效的 URL"),
    (
        rf"Label Studio refuses the token \(401\): set {_VARIABLE} to a "
        r"(?:personal access token of its|valid personal or legacy token)",
        "Label Studio 不接受令牌（401）：请将 {name} 设为有效的令牌",
    ),
    (
        rf"Label Studio refuses the personal access token: make a new one \(Account & Settings\) and set {_VARIABLE}",
        "Label Studio 不接受个人访问令牌：请新建一个（Account & Settings）并设置 {name}",
    ),
    (rf"{_HOST} answered (?P<status>\d+) for the picture", "{host} 对图片请求返回 {status}"),
    (
        r": connect its storage to the project \(Settings, Cloud Storage\) and check that the key's user sees it there",
        "：请将其存储连接到项目（Settings → Cloud Storage），并确认令牌的用户在那里能看到它",
    ),
    (r"set LABEL_STUDIO_URL so that its pictures can be fetched", "请设置 LABEL_STUDIO_URL，以便获取图片"),
    (r"the picture's URL is redirected too often", "图片地址重定向次数过多"),
    (
        r"the picture's address is no URL that can be fetched: correct it in the task",
        "图片地址不是可获取的 URL：请在任务中更正",
    ),
    (
        r"a URL with backslashes, control characters or a user name is not fetched",
        "不获取含反斜杠、控制字符或用户名的 URL",
    ),
    (
        rf"the proxy refuses to ask {_HOST} \((?P<status>[^)]*)\): allow it there, or name it in NO_PROXY",
        "代理拒绝访问 {host}（{status}）：请在代理上允许，或将其加入 NO_PROXY",
    ),
    (r"the picture did not arrive within (?P<seconds>[\d.]+) s", "图片在 {seconds} 秒内未到达"),
    (r"the picture's host cannot be asked \((?P<error>\w+)\)", "无法向图片主机发出请求（{error}）"),
    (r"the picture's host cannot be reached \((?P<error>[^)]*)\)", "无法连接图片主机（{error}）"),
    (r"the data: URI holds no data", "data: URI 中没有数据"),
    (r"the data: URI is not valid base64", "data: URI 不是有效的 base64"),
    (
        r"the file in (?P<folder>'[^']*') is not below a folder of TAGLOOM_IMAGE_ROOTS, or is not there",
        "文件（位于 {folder}）不在 TAGLOOM_IMAGE_ROOTS 的文件夹内，或不存在",
    ),
    (
        rf"the picture is larger than {_MEGABYTES}: make it smaller or raise TAGLOOM_IMAGE_MAX_BYTES",
        "图片大于 {size} MB：请缩小图片，或调高 TAGLOOM_IMAGE_MAX_BYTES",
    ),
    (
        r"the picture has more than (?P<pixels>[\d,]+) pixels: make it smaller or raise TAGLOOM_IMAGE_MAX_PIXELS",
        "图片超过 {pixels} 像素：请缩小图片，或调高 TAGLOOM_IMAGE_MAX_PIXELS",
    ),
    (r"the file is empty", "文件为空"),
    (
        r"a web page came instead of a picture \(a login page\?\): check the URL and the token",
        "得到的是网页而不是图片（登录页？）：请检查 URL 和令牌",
    ),
    (r"SVG pictures cannot be read: use PNG, JPEG or WebP", "无法读取 SVG 图片：请使用 PNG、JPEG 或 WebP"),
    (
        r"the file is no picture that can be read \(JPEG, PNG, WebP, GIF, BMP, AVIF\)",
        "文件不是可读取的图片（JPEG、PNG、WebP、GIF、BMP、AVIF）",
    ),
    (
        r"host '(?P<host>[^']+)' is not allowed: add it to TAGLOOM_IMAGE_HOSTS if its pictures may be fetched",
        "不允许访问主机 {host}：若允许获取其图片，请将其加入 TAGLOOM_IMAGE_HOSTS",
    ),
    (
        r"host '(?P<host>[^']+)' is not asked through a proxy: name it in TAGLOOM_IMAGE_HOSTS, `\*` does not do",
        "不通过代理访问主机 {host}：请在 TAGLOOM_IMAGE_HOSTS 中写明其名称，`*` 不够",
    ),
    (
        r"host '(?P<host>[^']+)' has a private address: only the configured Label Studio may",
        "主机 {host} 的地址是内网地址：只有所配置的 Label Studio 可以如此",
    ),
    (
        r"the picture's address stands under (?P<found>'[^']*') and is read there, but Label Studio shows "
        r"(?P<key>'[^']*'): put <Image> first in the labelling config before you import, or import a task file "
        r"\(docs/connect\.md\)",
        "图片地址写在 {found} 中（已从那里读取），但 Label Studio 显示的是 {key}："
        "请在导入前把 <Image> 放在标注配置最前面，或导入任务文件（docs/connect.md）",
    ),
)
"""Pairs of a pattern and its Chinese, as in `backend.pages.said`."""
